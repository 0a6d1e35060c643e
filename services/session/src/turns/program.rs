//! Turns of programs: a conversation, instructions and tools come with the request, and the answer is read as it is written.
//!
//! They are the same turns as any other; what is particular about them is in four rooms. `request` reads what a program asks,
//! `turns::bring` keeps what comes with its message, `turns::asked` makes of it what the model reads, and `stream` tells what happens.

mod request;
mod stream;
#[cfg(test)]
mod tests;

use gatehouse_core::{Caller, Drain};
use gatehouse_proto::session::v1::StreamTurnRequest;
use gatehouse_proto::session::v1::program_service_server::ProgramService;
use tonic::{Request, Response, Status};

use self::stream::StreamTurnStream;
use super::Engine;

/// The contract's methods.
#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    /// The end of serving: who reads a run hears of its end while the process lets it end.
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, drain: Drain) -> Self {
        Self { engine, drain }
    }
}

#[tonic::async_trait]
impl ProgramService for Grpc {
    type StreamTurnStream = StreamTurnStream;

    async fn stream_turn(
        &self,
        request: Request<StreamTurnRequest>,
    ) -> Result<Response<StreamTurnStream>, Status> {
        let caller = Caller::from_request(&request);
        let stream = Box::pin(stream::begin(&self.engine, caller, request.into_inner())).await?;
        Ok(Response::new(Box::pin(self.drain.end_stream(stream))))
    }
}
