//! WhatsApp's files: what is uploaded is kept under a path of its own, and is there for whoever asks for it.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::server::Whatsapp;

/// Serves them. The host, as WhatsApp tells it.
pub(crate) async fn serve(server: &Whatsapp) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let (server, own) = (server.clone(), host.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (server, own) = (server.clone(), own.clone());
            tokio::spawn(async move { answer(&server, &own, stream).await });
        }
    });
    host
}

/// One request, and the end of the connection. `None`: the client has gone.
async fn answer(server: &Whatsapp, host: &str, mut stream: TcpStream) -> Option<()> {
    let mut said = Vec::new();
    let head = loop {
        if let Some(end) = said.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&said[..end]).into_owned();
        }
        if stream.read_buf(&mut said).await.ok()? == 0 {
            return None;
        }
    };
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let path = target.split('?').next()?.to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head.len() + 4 + length.unwrap_or(0);
    while said.len() < whole {
        if stream.read_buf(&mut said).await.ok()? == 0 {
            return None;
        }
    }
    let body = said.split_off(head.len() + 4);
    let (status, body) = if method == "POST" {
        let kept = server.with(|state| {
            let kept = format!("/v/{}", state.files.len());
            state.files.insert(kept.clone(), body);
            kept
        });
        let named = serde_json::json!({"url": format!("https://{host}{kept}"), "direct_path": kept});
        ("200 OK", named.to_string().into_bytes())
    } else {
        match server.with(|state| state.files.get(&path).cloned()) {
            Some(file) => ("200 OK", file),
            None => ("404 Not Found", Vec::new()),
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    stream.shutdown().await.ok()
}
