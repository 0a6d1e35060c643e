//! What browsers are served on the gateway's own origin: its own page (`own`), and a Control UI, the files of any built one, from a
//! folder that the operator names.
//!
//! Anybody who reaches the listener may read them: they are the program, and the token opens the gateway. What is no file and
//! looks like none is a place inside the program, and is answered with its page; so a link to a session works, and a reload.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::timeout;

use self::{
    file::Wanted,
    kind::Kind,
    page::{Page, Pages},
};
use super::{
    context::Http,
    range,
    respond::{plain, respond},
    socket::Socket,
    upgrade::{upgrade, wants_upgrade},
};
pub(crate) use crate::site::{Mount as ControlUi, OwnPage};
use crate::site::{Mount, Place};

mod file;
mod kind;
mod own;
mod packed;
mod page;

/// A disk that answers no sooner is broken.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// What is remembered of the files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pages: Pages,
    packed: packed::Packed,
    own: own::Own,
}

/// What no route of the table has: a Control UI, or the gateway's own page.
pub(super) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    answer(&http, &socket, request).await.unwrap_or_else(nothing)
}

/// The page at the root of the origin: that of a Control UI or the gateway's own, whichever stands there, or the way to it.
pub(super) async fn front(http: &Arc<Http>, headers: &HeaderMap) -> Option<Response> {
    if let Some(mount) = http.control_ui().filter(|mount| mount.is_at_root()) {
        return Some(page(http, &mount, headers).await);
    }
    let own = http.own_page()?;
    if own.is_at_root() {
        return http.files.own.page(&own, headers);
    }
    let mut there = plain(StatusCode::FOUND, "the page of this gateway stands elsewhere");
    let address = HeaderValue::try_from(format!("{}/", own.base())).ok()?;
    there.headers_mut().insert(header::LOCATION, address);
    Some(there)
}

pub(super) fn nothing() -> Response {
    plain(StatusCode::NOT_FOUND, "there is nothing here")
}

/// The answer to a path that no route has, in whatever form it is written. `None`: there is nothing.
pub(super) async fn answer(http: &Arc<Http>, socket: &Arc<Socket>, request: Request) -> Option<Response> {
    let path = request.uri().path();
    let Some((mount, place)) = http
        .control_ui()
        .and_then(|mount| mount.place(path).map(|place| (Arc::clone(&mount), place)))
    else {
        return answer_own(http, socket, request);
    };
    // The program dials the address that it came from.
    if place == Place::Front && wants_upgrade(request.headers()) {
        return Some(upgrade(http, socket, request));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let headers = request.headers();
    if let Place::File(name) = place {
        match file(http, &mount, name, headers).await {
            Some(response) => return Some(response),
            None if Kind::of(name).is_some() => return None,
            None => (),
        }
    }
    Some(page(http, &mount, headers).await)
}

/// The same of the gateway's own page.
fn answer_own(http: &Arc<Http>, socket: &Arc<Socket>, request: Request) -> Option<Response> {
    let own = http.own_page()?;
    let place = own.place(request.uri().path())?;
    if place == Place::Front && wants_upgrade(request.headers()) {
        return Some(upgrade(http, socket, request));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    match place {
        Place::File(name) => http.files.own.file(&own, name, request.headers()),
        Place::Front | Place::Inside => http.files.own.page(&own, request.headers()),
    }
}

/// The program's page, with its address in it.
async fn page(http: &Arc<Http>, mount: &Arc<Mount>, headers: &HeaderMap) -> Response {
    let (asking, mount) = (Arc::clone(http), Arc::clone(mount));
    let made = tokio::task::spawn_blocking(move || asking.files.pages.of(&mount));
    match timeout(DISK_PATIENCE, made).await {
        Ok(Ok(Ok(page))) => page_response(&page, headers),
        Ok(Ok(Err(problem))) => {
            http.count("control-ui");
            tracing::warn!(problem, "the Control UI cannot be read");
            let told = "the Control UI is not there: gateway.controlUi.root has no index.html that the gateway can read";
            plain(StatusCode::SERVICE_UNAVAILABLE, told)
        }
        Ok(Err(_)) | Err(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the disk of the Control UI does not answer",
        ),
    }
}

fn page_response(page: &Page, headers: &HeaderMap) -> Response {
    let packed = range::accepts(headers, "gzip");
    let (body, tag) = if packed {
        (&page.packed, &page.packed_tag)
    } else {
        (&page.text, &page.tag)
    };
    let mut response = if range::is_known(headers, tag) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        respond(StatusCode::OK, "text/html; charset=utf-8", body.clone())
    };
    let answered = response.headers_mut();
    if packed {
        answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answered.insert(header::ETAG, tag.clone());
    answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answered.insert(header::CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

async fn file(http: &Arc<Http>, mount: &Arc<Mount>, name: &str, headers: &HeaderMap) -> Option<Response> {
    let wanted = Wanted::of(headers);
    let (asking, mount, wanted_name) = (Arc::clone(http), Arc::clone(mount), name.to_owned());
    let opening =
        tokio::task::spawn_blocking(move || file::open(&mount, &wanted_name, wanted, &asking.files.packed));
    match timeout(DISK_PATIENCE, opening).await {
        Ok(Ok(found)) => found.map(|found| found.answer(headers, name)),
        Ok(Err(_)) => None,
        Err(_) => Some(plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the disk of the Control UI does not answer",
        )),
    }
}
