//! The calls about named users: parse, ask, answer.

use gatehouse_contract::Grants;
use gatehouse_core::{Failure, Timestamp};
use gatehouse_proto::user::v1::{
    CreateUserRequest, CreateUserResponse, CreateUserTokenRequest, CreateUserTokenResponse, GetSelfRequest,
    GetSelfResponse, ListUsersRequest, ListUsersResponse, RemoveUserRequest, RemoveUserResponse,
    RevokeUserTokenRequest, RevokeUserTokenResponse, SetDisplayNameRequest, SetDisplayNameResponse,
    UserProfile, UserToken, user_service_server::UserService,
};
use tonic::{Request, Response, Status};

use super::{
    actor::Actor,
    error::DeviceError,
    handle::Devices,
    users::{self, New, OWNER, UserRow, UserTokenRow, Wanted},
};

/// The calls.
#[derive(Debug)]
pub(crate) struct UserGrpc(Devices);

impl UserGrpc {
    pub(crate) fn new(devices: Devices) -> Self {
        Self(devices)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl UserService for UserGrpc {
    async fn list_users(&self, request: Request<ListUsersRequest>) -> Answer<ListUsersResponse> {
        let is_admin = Actor::of(&request).is_admin();
        let all = self
            .0
            .read(|connection| Ok((users::all(connection)?, users::tokens(connection)?)));
        let (all, tokens) = all.await.map_err(refuse)?;
        let profiles = all.into_iter().map(|user| {
            let mut profile = profile(user);
            if is_admin {
                let of_it = tokens.iter().filter(|token| token.user == profile.id);
                profile.tokens = of_it.map(shown).collect();
            }
            profile
        });
        Ok(Response::new(ListUsersResponse {
            profiles: std::iter::once(owner()).chain(profiles).collect(),
        }))
    }

    async fn get_self(&self, request: Request<GetSelfRequest>) -> Answer<GetSelfResponse> {
        let Some(id) = Actor::of(&request).user_id else {
            return Ok(Response::new(GetSelfResponse {
                profile: Some(owner()),
            }));
        };
        let user = self
            .0
            .read(move |connection| users::find(connection, &id).map(|found| (found, id)));
        // Somebody whom a trusted proxy names has no row, and no other name.
        let profile = match user.await.map_err(refuse)? {
            (Some(user), _) => profile(user),
            (None, id) => UserProfile {
                id,
                ..UserProfile::default()
            },
        };
        Ok(Response::new(GetSelfResponse {
            profile: Some(profile),
        }))
    }

    async fn set_display_name(
        &self,
        request: Request<SetDisplayNameRequest>,
    ) -> Answer<SetDisplayNameResponse> {
        let actor = Actor::of(&request);
        let SetDisplayNameRequest {
            display_name,
            profile_id,
        } = request.into_inner();
        let id = actor.names(profile_id).map_err(refuse)?;
        let now = self.0.now();
        let user = self
            .0
            .change(move |tx| users::rename(tx, &id, display_name.trim(), now));
        let profile = Some(profile(user.await.map_err(refuse)?));
        Ok(Response::new(SetDisplayNameResponse { profile }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Answer<CreateUserResponse> {
        let (actor, now) = (Actor::of(&request), self.0.now());
        let CreateUserRequest {
            id,
            display_name,
            scopes,
            expires_in_seconds,
            again,
        } = request.into_inner();
        let new = New {
            id,
            name: display_name,
            again: again.unwrap_or(false),
        };
        let wanted = Wanted {
            scopes,
            label: None,
            seconds: expires_in_seconds,
        };
        let created = self
            .0
            .change(move |tx| users::create(tx, &actor, &new, &wanted, now));
        let (user, made) = created.await.map_err(refuse)?;
        tracing::info!(credential.id = made.id, "a user was added");
        Ok(Response::new(CreateUserResponse {
            profile: Some(profile(user)),
            token: made.token.expose().to_owned(),
            token_id: made.id,
        }))
    }

    async fn remove_user(&self, request: Request<RemoveUserRequest>) -> Answer<RemoveUserResponse> {
        let RemoveUserRequest { user_id } = request.into_inner();
        let id = user_id.clone();
        let now = self.0.now();
        let ended = self.0.change(move |tx| users::remove(tx, &id, now)).await;
        self.0.say_ended(ended.map_err(refuse)?).await;
        Ok(Response::new(RemoveUserResponse { user_id }))
    }

    async fn create_user_token(
        &self,
        request: Request<CreateUserTokenRequest>,
    ) -> Answer<CreateUserTokenResponse> {
        let (actor, now) = (Actor::of(&request), self.0.now());
        let CreateUserTokenRequest {
            user_id,
            scopes,
            label,
            expires_in_seconds,
        } = request.into_inner();
        let wanted = Wanted {
            scopes,
            label,
            seconds: expires_in_seconds,
        };
        let made = self
            .0
            .change(move |tx| users::add_token(tx, &actor, &user_id, &wanted, now));
        let made = made.await.map_err(refuse)?;
        Ok(Response::new(CreateUserTokenResponse {
            token: made.token.expose().to_owned(),
            token_id: made.id,
        }))
    }

    async fn revoke_user_token(
        &self,
        request: Request<RevokeUserTokenRequest>,
    ) -> Answer<RevokeUserTokenResponse> {
        let RevokeUserTokenRequest { token_id } = request.into_inner();
        let id = token_id.clone();
        let ended = self.0.change(move |tx| users::revoke_token(tx, &id)).await;
        self.0.say_ended(ended.map_err(refuse)?).await;
        Ok(Response::new(RevokeUserTokenResponse { token_id }))
    }
}

fn refuse(error: DeviceError) -> Status {
    Failure::from(error).into()
}

fn owner() -> UserProfile {
    UserProfile {
        id: OWNER.to_owned(),
        ..UserProfile::default()
    }
}

fn profile(user: UserRow) -> UserProfile {
    UserProfile {
        id: user.id,
        display_name: user.name,
        created_at: user.created_at.as_ms(),
        updated_at: user.updated_at.as_ms(),
        ..UserProfile::default()
    }
}

fn shown(token: &UserTokenRow) -> UserToken {
    let scopes = |grants: &Grants| grants.scopes().map(str::to_owned).collect();
    UserToken {
        id: token.id.clone(),
        label: token.label.clone(),
        scopes: scopes(&token.scopes),
        created_at: token.created_at.as_ms(),
        expires_at: token.expires_at.map(Timestamp::as_ms),
    }
}
