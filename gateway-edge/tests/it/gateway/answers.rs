//! Answers of a service that the test plays, as gRPC has them.

use super::*;

pub(super) fn one(path: &str, json: &str) -> Answer {
    let plan = &Map::core().rpc(path).unwrap().response;
    let wire = plan.encode(json, &mut gatehouse_contract::Refuse).unwrap();
    many(stream::iter([wire]))
}

pub(super) fn empty() -> StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>> {
    StreamBody::new(stream::empty().boxed())
}

pub(super) fn many(messages: impl Stream<Item = Vec<u8>> + Send + 'static) -> Answer {
    let frames = messages.map(|message| {
        let mut frame = vec![0];
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.extend(message);
        Ok(Frame::data(frame.into()))
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = frames.chain(stream::iter([Ok(Frame::trailers(trailers))]));
    let mut response = Response::new(StreamBody::new(body.boxed()));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
