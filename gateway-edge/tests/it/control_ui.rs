//! A Control UI on the gateway's own address.

use std::{fs, io::Read, os::unix::fs::symlink, path::Path};

use flate2::read::GzDecoder;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::connect_async;

use crate::gateway::{Gateway, TOKEN};

const PAGE: &str = r#"<!doctype html><html lang="en"><head><link rel="icon" href="./favicon.svg">
<script>window.begun = 1;</script><script type="module" src="./assets/index-BZuf2r7K.js"></script></head><body></body></html>"#;

/// A built program, and a secret beside it.
fn built() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ui");
    for inner in ["assets", "fonts", ".git"] {
        fs::create_dir_all(root.join(inner)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
    write("index.html", PAGE);
    write("assets/index-BZuf2r7K.js", "0123456789");
    write("assets/large-Ab3dEfGh.js", &"large ".repeat(1_000));
    write("assets/both-Ab3dEfGh.css", "itself");
    write("assets/both-Ab3dEfGh.css.br", "of br");
    write("assets/both-Ab3dEfGh.css.gz", "of gz");
    write("sw.js", "worker");
    write("favicon.svg", "<svg/>");
    write("fonts/a.woff2", "font");
    write(".git/config", "hidden");
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    symlink(folder.path().join("secret.txt"), root.join("assets/out.txt")).unwrap();
    symlink(folder.path(), root.join("up")).unwrap();
    symlink("../sw.js", root.join("assets/inside.js")).unwrap();
    folder
}

fn config(root: &Path, base: Option<&str>) -> String {
    json!({"gateway": {"controlUi": {"root": root, "basePath": base}}}).to_string()
}

async fn gateway(folder: &TempDir, base: Option<&str>) -> Gateway {
    Gateway::configured(&config(&folder.path().join("ui"), base)).await
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) async fn ask(gateway: &Gateway, method: &str, path: &str, headers: &str) -> Answer {
    let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: answer[at + 4..].to_vec(),
    }
}

pub(crate) async fn get(gateway: &Gateway, path: &str) -> Answer {
    ask(gateway, "GET", path, "").await
}

#[tokio::test]
async fn the_page_is_the_same_at_every_place_inside_and_its_addresses_are_whole() {
    let folder = built();
    let gateway = gateway(&folder, None).await;

    for place in [
        "/",
        "/index.html",
        "/chat",
        "/chat/main/3f2a",
        "/chat/main/",
        "/chat/agent%3Amain%3Amain",
        "/chat/main/irc.example.org",
        "/settings/devices?x=1",
    ] {
        let page = get(&gateway, place).await;

        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{place}"
        );
        assert!(
            page.text().contains(r#"src="/assets/index-BZuf2r7K.js""#),
            "{place}"
        );
        assert!(page.text().contains(r#"data-openclaw-control-ui-base-path="""#));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("connect-src 'self'"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
    }
    let head = ask(&gateway, "HEAD", "/chat", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let packed = ask(&gateway, "GET", "/", "Accept-Encoding: gzip\r\n").await;
    let mut text = String::new();
    GzDecoder::new(&*packed.body).read_to_string(&mut text).unwrap();
    assert!(packed.header("content-encoding") == Some("gzip") && text.contains("window.begun"));
}

#[tokio::test]
async fn files_are_sent_by_their_kind_and_kept_by_their_name() {
    let folder = built();
    let gateway = gateway(&folder, None).await;
    for (path, kind, kept) in [
        (
            "/assets/index-BZuf2r7K.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/assets/inside.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/fonts/a.woff2", "font/woff2", "no-cache"),
    ] {
        let file = get(&gateway, path).await;
        assert_eq!(
            (
                file.status,
                file.header("content-type"),
                file.header("cache-control")
            ),
            (200, Some(kind), Some(kept)),
            "{path}"
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));

        let tag = file.header("etag").unwrap().to_owned();
        let again = ask(&gateway, "GET", path, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let head = ask(&gateway, "HEAD", path, "").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), Some(&*file.body.len().to_string()));
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_when_it_is_asked_for() {
    let folder = built();
    let gateway = gateway(&folder, None).await;
    let part = async |range: &str| {
        ask(
            &gateway,
            "GET",
            "/assets/index-BZuf2r7K.js",
            &format!("Range: bytes={range}\r\nAccept-Encoding: gzip\r\n"),
        )
        .await
    };

    let middle = part("3-5").await;
    assert_eq!((middle.status, middle.text()), (206, "345"));
    assert_eq!(middle.header("content-range"), Some("bytes 3-5/10"));
    assert_eq!(part("-4").await.text(), "6789");
    let outside = part("10-").await;
    assert_eq!(
        (outside.status, outside.header("content-range")),
        (416, Some("bytes */10"))
    );
}

#[tokio::test]
async fn a_packed_form_is_taken_from_beside_the_file_or_made_once() {
    let folder = built();
    let gateway = gateway(&folder, None).await;
    let form = async |path: &str, accepts: &str| {
        let answer = ask(&gateway, "GET", path, &format!("Accept-Encoding: {accepts}\r\n")).await;
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        (answer.header("content-encoding").map(str::to_owned), answer.body)
    };

    let both = "/assets/both-Ab3dEfGh.css";
    assert_eq!(
        form(both, "gzip, br").await,
        (Some("br".to_owned()), b"of br".to_vec())
    );
    assert_eq!(
        form(both, "gzip").await,
        (Some("gzip".to_owned()), b"of gz".to_vec())
    );
    assert_eq!(form(both, "identity").await, (None, b"itself".to_vec()));
    for _ in 0..2 {
        let (encoding, body) = form("/assets/large-Ab3dEfGh.js", "gzip").await;
        let mut text = String::new();
        GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        assert_eq!(
            (encoding.as_deref(), text),
            (Some("gzip"), "large ".repeat(1_000))
        );
    }
}

#[tokio::test]
async fn nothing_outside_the_folder_and_nothing_hidden_is_sent() {
    let folder = built();
    let gateway = gateway(&folder, None).await;
    for path in [
        "/assets/out.txt",
        "/up/secret.txt",
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/.git/config",
        "/assets//index-BZuf2r7K.js",
    ] {
        let answer = get(&gateway, path).await;
        let body = answer.text();
        assert!(
            answer.status == 404 || body.contains("<!doctype html>"),
            "{path}: {} {body}",
            answer.status
        );
        assert!(!body.contains("secret") && !body.contains("hidden"), "{path}");
    }
}

#[tokio::test]
async fn what_programs_ask_for_is_not_answered_with_a_page() {
    let folder = built();
    let gateway = gateway(&folder, None).await;
    for path in [
        "/api/sessions",
        "/x.js",
        "/assets/gone-Ab3dEfGh.js",
        "/__openclaw__/icon",
        "/hooks/wake",
    ] {
        assert_eq!(get(&gateway, path).await.status, 404, "{path}");
    }
    assert_eq!(
        ask(&gateway, "POST", "/chat", "Content-Length: 0\r\n")
            .await
            .status,
        404
    );
    assert!(get(&gateway, "/healthz").await.text().contains("live"));
    let foreign = ask(
        &gateway,
        "GET",
        "/assets/index-BZuf2r7K.js",
        "Host: rebound.example\r\n",
    )
    .await;
    assert!(foreign.status >= 400, "{}", foreign.status);
}

#[tokio::test]
async fn below_a_base_path_the_page_and_its_socket_are_there_and_the_gateways_own_page_stays() {
    let folder = built();
    let gateway = gateway(&folder, Some("/claw")).await;

    for place in ["/claw", "/claw/", "/claw/chat/main/1"] {
        let page = get(&gateway, place).await;
        assert!(
            page.text().contains(r#"src="/claw/assets/index-BZuf2r7K.js""#),
            "{place}"
        );
        assert!(page.text().contains(r#"base-path="/claw""#), "{place}");
    }
    assert_eq!(
        get(&gateway, "/claw/assets/index-BZuf2r7K.js").await.text(),
        "0123456789"
    );
    assert!(get(&gateway, "/").await.text().contains("Gatehouse"));
    assert_eq!(get(&gateway, "/assets/index-BZuf2r7K.js").await.status, 404);
    for door in ["claw", "claw/"] {
        let url = format!("{}{door}", gateway.url);
        assert!(connect_async(&url).await.is_ok(), "{url}");
    }
    connect_async(format!("{}chat", gateway.url))
        .await
        .expect_err("no door");
}

#[tokio::test]
async fn a_revision_turns_it_on_and_off_and_a_folder_without_a_page_is_said() {
    let folder = built();
    let gateway = Gateway::start().await;
    assert_eq!(get(&gateway, "/agents").await.status, 404);

    let root = folder.path().join("ui");
    let on = config(&root, None);
    gateway
        .config
        .send_replace(Some(crate::gateway::revision(&on, TOKEN)));
    crate::gateway::until("the page", async || get(&gateway, "/agents").await.status == 200).await;
    fs::write(
        root.join("index.html"),
        PAGE.replace("lang=\"en\"", "lang=\"de\""),
    )
    .unwrap();
    assert!(
        get(&gateway, "/agents").await.text().contains("lang=\"de\""),
        "a new build is there at once"
    );
    fs::remove_file(root.join("index.html")).unwrap();
    let gone = get(&gateway, "/agents").await;
    assert!(
        gone.status == 503 && gone.text().contains("gateway.controlUi.root"),
        "{}",
        gone.status
    );

    gateway
        .config
        .send_replace(Some(crate::gateway::revision("{}", TOKEN)));
    crate::gateway::until("nothing", async || get(&gateway, "/agents").await.status == 404).await;
    assert!(get(&gateway, "/").await.text().contains("Gatehouse"));
}
