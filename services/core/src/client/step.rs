//! The client's side of a call as a step of its trace: from the question to the last word of the answer, with how it ended. It costs one look
//! where nobody records the trace.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::either::Either;
use tonic::{Code, Status, body::Body};
use tower::Service;

use crate::trace::{Kind, Span, TRACEPARENT};

/// Where the status of a call stands: in the head of an answer without a body, behind the body of any other.
const STATUS: &str = "grpc-status";

/// A channel whose calls are steps.
#[derive(Clone, Debug)]
pub struct Stepped<S> {
    inner: S,
}

impl<S> Stepped<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

type Recorded<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S> Service<Request<Body>> for Stepped<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Send + 'static, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Recorded<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut step = {
            let path = request.uri().path();
            Span::here(Kind::Client, || path.trim_start_matches('/').to_owned())
        };
        if !step.is_recorded() {
            return Either::Left(self.inner.call(request));
        }
        step.set("rpc.system.name", "grpc");
        step.set("rpc.method", request.uri().path().trim_start_matches('/'));
        if let Ok(mut header) = HeaderValue::try_from(step.context().to_string()) {
            header.set_sensitive(true); // another in each call: it is not worth a place in HTTP/2's table
            request.headers_mut().insert(TRACEPARENT, header);
        }
        let answer = self.inner.call(request);
        Either::Right(Box::pin(async move {
            match answer.await {
                Ok(answer) => {
                    let mut step = Step(Some(step));
                    step.read(answer.headers());
                    Ok(answer.map(|body| Body::new(Told { body, step })))
                }
                Err(error) => {
                    step.fail("UNAVAILABLE"); // nobody there took the question
                    Err(error)
                }
            }
        }))
    }
}

/// A call whose end is not known yet. Dropped before it, nobody wanted the rest of the answer.
#[derive(Debug)]
struct Step(Option<Span>);

impl Step {
    /// Ends the step when these say how the call ended.
    fn read(&mut self, told: &HeaderMap) {
        if let Some(status) = told.get(STATUS) {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        let Some(mut step) = self.0.take() else { return };
        let name = format!("{code:?}");
        step.set("rpc.response.status_code", name.as_str());
        if code != Code::Ok {
            step.fail(&name);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// An answer whose end is told.
#[derive(Debug)]
struct Told<B> {
    body: B,
    step: Step,
}

impl<B> HttpBody for Told<B>
where
    B: HttpBody<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.step.read(trailers);
                }
            }
            Some(Err(status)) => self.step.end(status.code()),
            None => self.step.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use http_body_util::{BodyExt as _, StreamBody};
    use opentelemetry_sdk::{
        error::OTelSdkResult,
        trace::{SdkTracerProvider, Span as Made, SpanData, SpanProcessor},
    };
    use tower::service_fn;

    use super::*;
    use crate::trace::{self, Context as Trace};

    /// The spans that have ended.
    #[derive(Clone, Debug, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);

    impl Ended {
        fn take(&self) -> Vec<SpanData> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl SpanProcessor for Ended {
        fn on_start(&self, _: &mut Made, _: &opentelemetry::Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    fn status(span: &SpanData) -> Option<String> {
        let said = |name: &str| {
            let found = span.attributes.iter().find(|said| said.key.as_str() == name);
            found.map(|said| said.value.to_string())
        };
        assert_eq!(said("rpc.method").as_deref(), Some("a.B/C"));
        said("rpc.response.status_code")
    }

    fn trailers(code: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(STATUS.parse().unwrap(), HeaderValue::from_static(code))])
    }

    /// Answers with a word, and with this behind it.
    fn answer(code: &'static str) -> Response<Body> {
        let frames = [Frame::data(Bytes::from("x")), Frame::trailers(trailers(code))];
        let frames = futures::stream::iter(frames.map(Ok::<_, Status>));
        Response::new(Body::new(StreamBody::new(frames)))
    }

    #[tokio::test]
    async fn a_call_is_a_step_from_the_question_to_the_last_word_and_says_how_it_ended() {
        let spans = Ended::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(spans.clone())
            .build();
        trace::otlp::record_with(&provider);
        let trace: Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let call = async |answer: fn() -> Response<Body>| {
            let mut service = Stepped::new(service_fn(move |request: Request<Body>| async move {
                let given = request.headers()[TRACEPARENT].to_str().unwrap().to_owned();
                let mut answer = answer();
                answer.extensions_mut().insert(given);
                Ok::<_, std::convert::Infallible>(answer)
            }));
            let request = Request::builder()
                .uri("http://localhost/a.B/C")
                .body(Body::empty())
                .unwrap();
            // As a client does: the call is made within the work that it belongs to.
            let called = async move { service.call(request).await };
            trace::within(trace, called).await.unwrap()
        };

        let good = call(|| answer("0")).await;
        let given: Trace = good.extensions().get::<String>().unwrap().parse().unwrap();
        assert!(spans.take().is_empty(), "it goes on");
        good.into_body().collect().await.unwrap();
        let bad = call(|| answer("5")).await;
        bad.into_body().collect().await.unwrap();
        drop(call(|| answer("0")).await);
        drop(
            call(|| {
                let mut refused = Response::new(Body::empty());
                *refused.headers_mut() = trailers("7");
                refused
            })
            .await,
        );

        let codes: Vec<_> = spans.take().iter().filter_map(status).collect();
        assert_eq!(codes, ["Ok", "NotFound", "Cancelled", "PermissionDenied"]);
        assert_eq!(given.trace_id(), trace.trace_id());
        assert_ne!(given, trace, "what is asked follows from the step of asking");
    }
}
