//! The files of a message that somebody sends: kept before the message is stored, so that it names them as an answer does.

use gatehouse_core::content::{Media, MediaSource, attachment::Attachment};
use gatehouse_proto::channel::v1::SentFile;

use super::{dispatch::AGE_MAX, shown::MEDIA_MAX};
use crate::{error::Error, media::MediaReader};

/// The files of one message, in the order in which they are seen.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<File>);

#[derive(Debug)]
enum File {
    /// To be kept.
    Bytes { path: &'static str, file: Attachment },
    /// Named by its address.
    Elsewhere(Media),
}

/// What a request says of files.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) attachments: Vec<SentFile>,
    pub(super) buffer: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) media_url: Option<String>,
    pub(super) media_urls: Vec<String>,
}

impl Files {
    /// # Errors
    /// When one has no bytes, an address leads nowhere, or there are too many.
    pub(super) fn read(given: Given) -> Result<Self, Error> {
        let Given {
            attachments,
            buffer,
            filename,
            content_type,
            media_url,
            media_urls,
        } = given;
        let mut files = Vec::new();
        for attachment in attachments {
            let SentFile {
                mime_type,
                file_name,
                content,
            } = attachment;
            files.push(bytes("/attachments", content, mime_type, file_name.as_deref())?);
        }
        if let Some(buffer) = buffer.filter(|buffer| !buffer.is_empty()) {
            files.push(bytes("/buffer", buffer, content_type, filename.as_deref())?);
        }
        let urls = media_url.into_iter().map(|url| ("/mediaUrl", url));
        let urls = urls.chain(media_urls.into_iter().map(|url| ("/mediaUrls", url)));
        let mut seen = Vec::new();
        // Some programs give the first of several a second time.
        for (path, url) in urls.filter(|(_, url)| !url.trim().is_empty()) {
            if !seen.contains(&url) {
                seen.push(url.clone());
                files.push(addressed(path, url)?);
            }
        }
        if files.len() > MEDIA_MAX {
            let problem = format!("has more than {MEDIA_MAX} files: send them in several messages");
            return Err(Error::Invalid("/attachments", problem));
        }
        Ok(Self(files))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps them until their delivery is given up on at the latest.
    ///
    /// # Errors
    /// When one is no base64, or cannot be kept. The message is not sent then.
    pub(crate) async fn keep(self, media: &MediaReader) -> Result<Vec<Media>, Error> {
        let mut kept = Vec::with_capacity(self.0.len());
        for file in self.0 {
            kept.push(match file {
                File::Bytes { path, file } => {
                    let one = media.keep(file, AGE_MAX).await;
                    one.map_err(|failure| Error::NotKept(failure.path(path)))?
                }
                File::Elsewhere(media) => media,
            });
        }
        Ok(kept)
    }
}

fn bytes(
    path: &'static str,
    content: String,
    mime_type: Option<String>,
    name: Option<&str>,
) -> Result<File, Error> {
    let file = Attachment::read(content, mime_type, name);
    let empty = || Error::Invalid(path, "has no bytes: send them as base64".to_owned());
    Ok(File::Bytes {
        path,
        file: file.ok_or_else(empty)?,
    })
}

fn addressed(path: &'static str, url: String) -> Result<File, Error> {
    if url.starts_with("data:") {
        return bytes(path, url, None, None);
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        let problem = "is no address on the web; a path means something on your machine only: send the bytes as base64 in `attachments` or `buffer`";
        return Err(Error::Invalid(path, problem.to_owned()));
    }
    let last = url.split(['?', '#']).next().unwrap_or_default();
    let name = last.rsplit('/').next().filter(|name| !name.is_empty());
    Ok(File::Elsewhere(Media {
        name: name.map(str::to_owned),
        source: MediaSource::Url(url),
        mime_type: None,
        size_bytes: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: Given) -> String {
        Files::read(given).unwrap_err().to_string()
    }

    #[test]
    fn files_are_read_in_order_and_one_that_is_named_twice_is_one() {
        let sent = |content: &str| SentFile {
            content: content.to_owned(),
            ..SentFile::default()
        };
        let url = "https://home.example/a/cat.png?size=1".to_owned();

        let Files(files) = Files::read(Given {
            attachments: vec![sent("aGk=")],
            buffer: Some("data:image/png;base64,aGk=".into()),
            filename: Some("../cat.png".into()),
            media_url: Some(url.clone()),
            media_urls: vec![url.clone(), "data:text/plain;base64,aGk=".into()],
            ..Given::default()
        })
        .unwrap();

        let shown: Vec<Option<String>> = files
            .into_iter()
            .map(|file| match file {
                File::Bytes { file, .. } => file.name.or(file.declared),
                File::Elsewhere(media) => media.name,
            })
            .collect();
        let words = |word: &str| Some(word.to_owned());
        assert_eq!(
            shown,
            [None, words("cat.png"), words("cat.png"), words("text/plain")]
        );
    }

    #[test]
    fn a_path_and_an_empty_file_are_refused_with_what_to_do() {
        let path = refused(Given {
            media_urls: vec!["/etc/passwd".into()],
            ..Given::default()
        });
        assert!(path.contains("send the bytes as base64"), "{path}");
        let empty = refused(Given {
            buffer: Some("data:image/png;base64,".into()),
            ..Given::default()
        });
        assert!(empty.contains("no bytes"), "{empty}");
        let many = refused(Given {
            media_urls: (0..=MEDIA_MAX)
                .map(|n| format!("https://a.example/{n}"))
                .collect(),
            ..Given::default()
        });
        assert!(many.contains("several messages"), "{many}");
    }
}
