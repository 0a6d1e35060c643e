//! Albums among updates that are asked for. Telegram tells an album picture by picture, and others speak in between: an update is taken once
//! the albums before it, and those around it, are whole.

use std::collections::HashMap;

use super::told::Update;

/// The most messages of an album: Telegram's own figure.
pub(super) const ALBUM_MAX: usize = 10;

/// Albums that may not be whole yet, by chat and album: how many of their messages were there when it was last looked.
pub(super) type Open = HashMap<(i64, String), usize>;

/// Where the messages of one album stand.
struct Places {
    first: usize,
    last: usize,
    is_open: bool,
}

/// How many of the updates can be taken, and the albums of the others. An album is whole when it has not grown since the last look.
pub(super) fn whole(updates: &[Update], known: &Open) -> (usize, Open) {
    let mut counts = Open::new();
    let mut places: HashMap<(i64, &str), Places> = HashMap::new();
    for (place, update) in updates.iter().enumerate() {
        let Some((chat, album)) = update.album() else {
            continue;
        };
        let key = (chat, album.to_owned());
        let before = known.get(&key).copied();
        let count = counts.entry(key).or_default();
        *count += 1;
        let is_open = before != Some(*count) && *count < ALBUM_MAX;
        let places = places.entry((chat, album)).or_insert(Places {
            first: place,
            last: place,
            is_open,
        });
        (places.last, places.is_open) = (place, is_open);
    }
    // One that goes on behind the first open one waits with it: what is taken is not told again.
    let mut whole = updates.len();
    while let Some(first) = places
        .values()
        .filter(|album| album.first < whole && (album.is_open || album.last >= whole))
        .map(|album| album.first)
        .min()
    {
        whole = first;
    }
    counts.retain(|(chat, album), _| {
        places
            .get(&(*chat, album.as_str()))
            .is_some_and(|places| places.first >= whole)
    });
    (whole, counts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Updates of chat 7, each of an album or (blank) of none.
    fn updates(albums: &[&str]) -> Vec<Update> {
        let update = |(number, album): (usize, &&str)| {
            let album = Some(*album).filter(|album| !album.is_empty());
            let message = json!({"message_id": number, "chat": {"id": 7}, "media_group_id": album});
            Update::read(&json!({"update_id": number, "message": message})).unwrap()
        };
        albums.iter().enumerate().map(update).collect()
    }

    #[test]
    fn an_album_is_whole_once_it_did_not_grow_wherever_its_messages_stand() {
        let look = |albums: &[&str], known: &Open| whole(&updates(albums), known);
        let (taken, open) = look(&["", "a", "", "a"], &Open::new());
        assert_eq!((taken, open[&(7, "a".to_owned())]), (1, 2));

        assert_eq!(look(&["a", "", "a", "", "a"], &open).0, 0, "it grew");
        assert_eq!(look(&["a", "", "a", ""], &open), (4, Open::new()));

        // One that began since waits, and one that goes on behind it waits with it.
        let (taken, next) = look(&["a", "b", ""], &Open::from([((7, "a".to_owned()), 1)]));
        assert_eq!((taken, next.len()), (1, 1));
        let (taken, next) = look(&["a", "b", "a", ""], &open);
        assert_eq!((taken, next.len()), (0, 2));
        assert_eq!(look(&["a", "b", "a", ""], &next).0, 4);
        let full: Vec<&str> = std::iter::repeat_n("c", ALBUM_MAX).collect();
        assert_eq!(look(&full, &Open::new()).0, ALBUM_MAX);
        assert_eq!(look(&[], &open), (0, Open::new()));
    }
}
