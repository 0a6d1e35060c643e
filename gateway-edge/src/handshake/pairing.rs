//! A device at the door: one that is known as it asks to be comes in by a look-up; any other is decided by the config service, which
//! pairs it at once or lets it wait for an operator.

use std::{sync::Arc, time::Duration};

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Failure, Kind, Secret, Service, Timestamp, hex};
use gatehouse_proto::device::v1::{
    AdmitDeviceRequest, AdmitDeviceResponse, WelcomeDeviceRequest, WelcomeDeviceResponse,
    admit_device_response::Outcome, device_service_client::DeviceServiceClient,
};
use tokio::time::timeout;

use super::{Entered, Failed, refusal};
use crate::{
    admission::Reach, auth::Identity, close::Close, connection::Connection, device::Device, dialect::Asked,
    edge::Edge, error::Refusal, hello::DeviceToken, host, policy::Policy,
};

/// How many devices are decided about at once. Each takes a commit of the config service; who waits here holds a socket and no more.
pub(crate) const DECISIONS_MAX: usize = 32;

/// How long a decision may take, a commit of a slow disk included, before the client is told to come back.
const DECISION_MAX: Duration = Duration::from_secs(5);

/// How long a device that is let in anyway waits for its token.
const TOKEN_MAX: Duration = Duration::from_secs(1);

/// How soon a client should come back when nobody can decide.
const AWAY_RETRY: Duration = Duration::from_secs(2);

/// What it takes to approve a device.
const PAIRING: &str = "operator.pairing";

/// A device that asks, and by what.
pub(super) struct Arriving<'a> {
    pub(super) edge: &'a Arc<Edge>,
    pub(super) connection: &'a Connection,
    pub(super) asked: &'a Asked,
    pub(super) device: &'a Device,
}

/// What stands for a device that is decided about.
enum Shown<'a> {
    Credential(&'a Identity),
    /// A setup code, by its digest.
    Code(String),
}

impl Arriving<'_> {
    /// Lets in a device that has shown its own token.
    pub(super) async fn by_token(
        &self,
        policy: &Policy,
        identity: Arc<Identity>,
    ) -> Result<Entered, Box<Failed>> {
        let wanted = self.wanted();
        if wanted.role() != identity.bound.role() {
            // A client has one for each role. It throws this one away and shows what it was given for the other, or asks a person.
            return Err(refusal::device_token_unknown());
        }
        if !identity.bound.covers(&wanted) {
            return Err(refusal::beyond_token(self.asked, &identity.bound));
        }
        let paired = policy.devices.find(&self.device.id, wanted.role());
        let Some(paired) = paired else {
            return Err(refusal::device_token_unknown()); // its row is about to follow
        };
        if !paired.is_as_before(&self.asked.client) {
            // What it says of itself has changed since it was approved: somebody looks at it, and the token alone does not do.
            return match self.decide(wanted, false, Shown::Credential(&identity)).await? {
                answer if answer.outcome() == Outcome::Pending => {
                    Err(refusal::pending(self.asked, self.device, &answer))
                }
                _ => Err(away()),
            };
        }
        let mut shown = [&self.asked.token, &self.asked.device_token]
            .into_iter()
            .flatten();
        let token = shown.find(|shown| identity.is_shown_by(shown)).cloned();
        let pairing = Some(paired.generation);
        self.note_arrival(wanted.role());
        Ok(Entered {
            token: token.map(|token| DeviceToken {
                token,
                issued_at: identity.issued_at.unwrap_or_default(),
            }),
            grants: wanted,
            pairing,
            identity,
        })
    }

    /// Lets in a device that has shown a credential which is no device's.
    pub(super) async fn by_shared(
        &self,
        policy: &Policy,
        identity: Arc<Identity>,
    ) -> Result<Entered, Box<Failed>> {
        let mut wanted = self.wanted();
        if wanted.role() == Role::Operator {
            wanted = wanted.within(&identity.bound); // nobody gets more than what they showed is good for
        }
        let user = identity.user.as_ref().map(|user| &*user.id);
        let (known, now) = (
            policy.devices.find(&self.device.id, wanted.role()),
            self.edge.clock.now(),
        );
        if let Some(paired) = known.filter(|paired| paired.fits(&wanted, &self.asked.client, user, now)) {
            let pairing = Some(paired.generation);
            return Ok(Entered {
                token: self.fetch_token(wanted.role()).await,
                grants: wanted,
                pairing,
                identity,
            });
        }
        // What is approved without asking anybody is approved by what was shown: an operator's device gets no more than that is good
        // for, and a node, which is no scope, is let in by who could approve it himself.
        let may =
            wanted.role() == Role::Operator || identity.bound.covers(&Grants::new(Role::Operator, [PAIRING]));
        let local = may && self.is_local().await;
        let answer = self.decide(wanted, local, Shown::Credential(&identity)).await?;
        match answer.outcome() {
            Outcome::Paired => {
                let generation = self.follow(&answer, wanted).await?;
                Ok(Entered {
                    token: token_of(&answer),
                    grants: wanted,
                    pairing: Some(generation),
                    identity,
                })
            }
            Outcome::Pending => Err(refusal::pending(self.asked, self.device, &answer)),
            Outcome::CodeInvalid | Outcome::Unspecified => Err(away()),
        }
    }

    /// Lets in a device that has shown a setup code. `None`: the code is not good.
    pub(super) async fn by_code(&self, code: &Secret) -> Result<Option<Entered>, Box<Failed>> {
        let digest = hex::encode(&code.digest());
        let answer = self.decide(self.wanted(), false, Shown::Code(digest)).await?;
        if answer.outcome() != Outcome::Paired {
            return Ok(None);
        }
        let granted = Grants::new(self.asked.role, answer.scopes.iter().map(String::as_str));
        let generation = self.follow(&answer, granted).await?;
        // It lives by its own token from now on: the code is used up.
        let token = Secret::new(answer.token.clone());
        let identity = self
            .edge
            .policy()
            .and_then(|policy| policy.credentials.known(&token));
        let Some(identity) = identity else {
            return Err(away());
        };
        Ok(Some(Entered {
            token: token_of(&answer),
            // It may ask for less than the code allows, and not for more.
            grants: self.wanted().within(&granted),
            pairing: Some(generation),
            identity,
        }))
    }

    /// What it asks for.
    fn wanted(&self) -> Grants {
        let scopes = self.asked.scopes.iter().flatten().map(String::as_str);
        match self.asked.role {
            Role::Operator => Grants::new(Role::Operator, scopes),
            Role::Node => Grants::new(Role::Node, []),
        }
    }

    /// Whether it comes from this machine, and not by way of somebody who forwards.
    async fn is_local(&self) -> bool {
        if self.connection.arrival.reach != Reach::Local {
            return false;
        }
        if self.connection.arrival.secure {
            return !host::is_contained(); // the socket of TLS is not the peer's: nothing more can be known of it
        }
        match self.connection.ends() {
            Some((peer, local)) => host::holds_both(peer, local).await,
            None => false,
        }
    }

    /// Asks the config service.
    async fn decide(
        &self,
        wanted: Grants,
        local: bool,
        shown: Shown<'_>,
    ) -> Result<AdmitDeviceResponse, Box<Failed>> {
        let (setup_digest, user_id, credential_id) = match shown {
            Shown::Code(digest) => (Some(digest), None, None),
            Shown::Credential(identity) => {
                let user = identity.user.as_ref().map(|user| user.id.to_string());
                (None, user, Some(identity.credential.to_string()))
            }
        };
        let client = &self.asked.client;
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let request = AdmitDeviceRequest {
            device_id: self.device.id.to_string(),
            public_key: self.device.public_key.to_string(),
            role: wanted.role().as_str().to_owned(),
            scopes: wanted.scopes().map(str::to_owned).collect(),
            display_name: owned(&client.display_name),
            platform: owned(&client.platform),
            device_family: owned(&client.device_family),
            client_id: Some(client.id.to_string()),
            client_mode: owned(&client.mode),
            remote_ip: self.connection.arrival.ip.to_string(),
            local,
            setup_digest,
            user_id,
            credential_id,
        };
        let asking = async {
            let _place = self.edge.decisions.acquire().await.ok()?;
            let peer = self.edge.backend.peer(Service::Config);
            Some(
                DeviceServiceClient::new(peer.service())
                    .admit_device(request)
                    .await,
            )
        };
        match timeout(DECISION_MAX, asking).await {
            Ok(Some(Ok(answer))) => Ok(answer.into_inner()),
            Ok(Some(Err(status))) => {
                let failure = Failure::from_status(&status);
                tracing::warn!(error = %status, "the config service did not decide about a device");
                match failure.kind {
                    Kind::Exhausted => Err(Failed::new(
                        Refusal::from(failure).detail("code", "PAIRING_BUSY"),
                        "pairing-busy",
                    )),
                    _ => Err(away()),
                }
            }
            Ok(None) | Err(_) => Err(away()),
        }
    }

    /// Waits until the table has what was decided; the connection would be closed for lacking it otherwise. The answer is the row's
    /// generation.
    async fn follow(&self, answer: &AdmitDeviceResponse, granted: Grants) -> Result<i64, Box<Failed>> {
        let mut policies = self.edge.policy.clone();
        let token = Secret::new(answer.token.clone());
        let there = policies.wait_for(|policy| {
            policy.as_ref().is_some_and(|policy| {
                let paired = policy.devices.find(&self.device.id, granted.role());
                paired.is_some_and(|paired| paired.grants.covers(&granted))
                    && policy.credentials.known(&token).is_some()
            })
        });
        let there = timeout(DECISION_MAX, there).await;
        let found = there.ok().and_then(Result::ok).and_then(|policy| {
            let policy = policy.as_ref()?;
            Some(policy.devices.find(&self.device.id, granted.role())?.generation)
        });
        found.ok_or_else(away)
    }

    /// The device's token, if the config service is there to tell it. It is let in without.
    async fn fetch_token(&self, role: Role) -> Option<DeviceToken> {
        let asking = async {
            let _place = self.edge.decisions.acquire().await.ok()?;
            let peer = self.edge.backend.peer(Service::Config);
            let request = self.arrival(role, false);
            let told = DeviceServiceClient::new(peer.service())
                .welcome_device(request)
                .await;
            told.map(tonic::Response::into_inner).ok()
        };
        let WelcomeDeviceResponse { token, issued_at_ms } = timeout(TOKEN_MAX, asking).await.ok()??;
        (!token.is_empty()).then(|| DeviceToken {
            token: Secret::new(token),
            issued_at: Timestamp::from_ms(issued_at_ms),
        })
    }

    /// Notes that a device came that has its token. Nobody waits for that, and where many come, some are not noted.
    fn note_arrival(&self, role: Role) {
        let (edge, request) = (Arc::clone(self.edge), self.arrival(role, true));
        let drain = edge.drain.clone();
        drain.spawn_work("note a device", async move {
            let Ok(_place) = edge.decisions.try_acquire() else {
                return;
            };
            let peer = edge.backend.peer(Service::Config);
            let mut client = DeviceServiceClient::new(peer.service());
            let _ = timeout(TOKEN_MAX, client.welcome_device(request)).await;
        });
    }

    fn arrival(&self, role: Role, has_token: bool) -> WelcomeDeviceRequest {
        WelcomeDeviceRequest {
            device_id: self.device.id.to_string(),
            role: role.as_str().to_owned(),
            remote_ip: self.connection.arrival.ip.to_string(),
            has_token,
        }
    }
}

fn token_of(answer: &AdmitDeviceResponse) -> Option<DeviceToken> {
    (!answer.token.is_empty()).then(|| DeviceToken {
        token: Secret::new(answer.token.clone()),
        issued_at: Timestamp::from_ms(answer.issued_at_ms),
    })
}

/// Nobody can decide now.
fn away() -> Box<Failed> {
    let message = "a device that is not known cannot be decided about now: the config service does not answer; try again";
    let refusal = Refusal::unavailable(message, AWAY_RETRY)
        .detail("code", "PAIRING_UNAVAILABLE")
        .detail("recommendedNextStep", "wait_then_retry");
    Failed::new(refusal, "pairing-unavailable").closing(Close::PAIRING_AWAY)
}
