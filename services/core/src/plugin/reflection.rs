//! What a server declares, asked by gRPC reflection: version 1, and where that is not offered `v1alpha`, whose messages are the same. The
//! reflection of Python knows the second alone.

use http::uri::PathAndQuery;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming, client::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{DESCRIPTORS_BYTES_MAX, Trouble, failed, files::Files};
use crate::{address::Address, client::Peer};

const VERSIONS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Services of one plugin.
const SERVICES_MAX: usize = 100;

/// What servers offer beside what they are for: gRPC's own, and what a plugin offers to the gateway.
const BESIDE: [&str; 2] = ["grpc.", "gatehouse."];

/// The files that a server's services are declared in, with what they import.
pub(super) async fn ask(peer: &Peer, address: &Address) -> Result<Files, Trouble> {
    for version in VERSIONS {
        match Conversation::begin(peer, version).await {
            Ok(conversation) => return conversation.files(address).await,
            Err(status) if status.code() == Code::Unimplemented => {}
            Err(status) => return Err(failed(&status, address, "by reflection")),
        }
    }
    Err(Trouble::Silent)
}

/// Questions and answers on one stream.
struct Conversation {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
    services: Vec<String>,
}

impl Conversation {
    /// Begins by asking for the services: a version that is not offered is refused by then at the latest.
    async fn begin(peer: &Peer, version: &'static str) -> Result<Self, Status> {
        let (questions, asked) = mpsc::channel(1);
        let mut grpc = Grpc::new(peer.service()).max_decoding_message_size(DESCRIPTORS_BYTES_MAX);
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let first = question(MessageRequest::ListServices(String::new()));
        let _ = questions.send(first).await; // the queue has room for it
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let path = PathAndQuery::from_static(version);
        let answers = grpc
            .streaming(Request::new(ReceiverStream::new(asked)), path, codec)
            .await?
            .into_inner();
        let mut conversation = Self {
            questions,
            answers,
            services: Vec::new(),
        };
        if let MessageResponse::ListServicesResponse(listed) = conversation.answer().await? {
            let names = listed.service.into_iter().map(|service| service.name);
            let own = |name: &String| !BESIDE.iter().any(|beside| name.starts_with(beside));
            conversation.services = names.filter(own).collect();
        }
        Ok(conversation)
    }

    async fn files(mut self, address: &Address) -> Result<Files, Trouble> {
        if self.services.len() > SERVICES_MAX {
            let problem = format!("are those of more than {SERVICES_MAX} services");
            return Err(Trouble::Descriptors(problem));
        }
        let mut files = Files::default();
        for service in std::mem::take(&mut self.services) {
            let asked = MessageRequest::FileContainingSymbol(service);
            self.take(asked, &mut files, address).await?;
        }
        // Each answer adds the file that was missing, or is an error: so this ends.
        while let Some(missing) = files.missing() {
            let asked = MessageRequest::FileByFilename(missing.clone());
            self.take(asked, &mut files, address).await?;
            if files.missing() == Some(missing) {
                break; // told when they are put together
            }
        }
        Ok(files)
    }

    async fn take(
        &mut self,
        asked: MessageRequest,
        files: &mut Files,
        address: &Address,
    ) -> Result<(), Trouble> {
        let about = format!("by reflection for {asked:?}");
        let _ = self.questions.send(question(asked)).await; // its answer tells that nobody listens
        let answer = self.answer().await;
        match answer.map_err(|status| failed(&status, address, &about))? {
            MessageResponse::FileDescriptorResponse(found) => {
                for file in found.file_descriptor_proto {
                    files.add(Bytes::from(file)).map_err(Trouble::Descriptors)?;
                }
                Ok(())
            }
            MessageResponse::ErrorResponse(error) => {
                let said = super::words(&error.error_message);
                Err(Trouble::Failed(format!("{about}: {said}")))
            }
            MessageResponse::AllExtensionNumbersResponse(_) | MessageResponse::ListServicesResponse(_) => {
                Err(Trouble::Failed(format!(
                    "{about}: the answer is to another question"
                )))
            }
        }
    }

    async fn answer(&mut self) -> Result<MessageResponse, Status> {
        let ended = || Status::internal("the answer is missing");
        let answer = self.answers.message().await?.ok_or_else(ended)?;
        answer.message_response.ok_or_else(ended)
    }
}

fn question(asked: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(asked),
    }
}
