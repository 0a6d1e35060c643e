//! What a recording looks like, for platforms that want to be told: how long it is, and how loud from moment to moment. Read from the
//! pages of an Ogg file (RFC 3533) with one stream of Opus (RFC 7845); the sound itself is not decoded.

/// How a page begins.
const PAGE: &[u8] = b"OggS";
/// Its head before the table of its segments: where the place, the stream and the number of segments stand in it.
const HEAD_BYTES: usize = 27;
const PLACE_AT: usize = 6;
const STREAM_AT: usize = 14;
const SEGMENTS_AT: usize = 26;
/// A packet whose segment is this long goes on in the next.
const GOES_ON: u8 = 255;
/// No packet ends on such a page.
const NO_PLACE: i64 = -1;
/// How the first packet begins, and where it says how much is not played.
const OPUS: &[u8] = b"OpusHead";
const SKIPPED_AT: usize = 10;
/// Packets without sound at the beginning.
const HEADERS: usize = 2;
/// Opus counts 48,000 in a second, whatever was recorded.
const SECOND: f64 = 48_000.0;
/// The longest recording that is believed, in seconds: an hour.
const SECONDS_MAX: f64 = 3600.0;
/// Moments of a recording: what Discord takes (*Voice Messages*).
const MOMENTS_MAX: usize = 256;

/// A recording.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Voice {
    pub(crate) seconds: f64,
    /// How loud, from moment to moment.
    pub(crate) loudness: Vec<u8>,
}

impl Voice {
    /// Looks at a file. `None`: it is no recording of Opus alone, or not whole.
    pub(crate) fn of(file: &[u8]) -> Option<Self> {
        let (mut rest, mut packets, mut packet) = (file, Vec::new(), 0_usize);
        let (mut stream, mut skipped, mut end) = (None, 0, NO_PLACE);
        while !rest.is_empty() {
            let (head, behind) = rest.split_at_checked(HEAD_BYTES)?;
            if !head.starts_with(PAGE)
                || *stream.get_or_insert(number(head, STREAM_AT)?) != number(head, STREAM_AT)?
            {
                return None;
            }
            let (segments, behind) = behind.split_at_checked(usize::from(*head.get(SEGMENTS_AT)?))?;
            let bytes = segments.iter().map(|segment| usize::from(*segment)).sum();
            let (body, behind) = behind.split_at_checked(bytes)?;
            if packets.is_empty() && packet == 0 {
                let head = body.strip_prefix(OPUS)?;
                let skip = head.get(SKIPPED_AT - OPUS.len()..)?.first_chunk()?;
                skipped = i64::from(u16::from_le_bytes(*skip));
            }
            for segment in segments {
                packet += usize::from(*segment);
                if *segment != GOES_ON {
                    packets.push(std::mem::take(&mut packet));
                }
            }
            let place = i64::from_le_bytes(*head.get(PLACE_AT..)?.first_chunk()?);
            if place != NO_PLACE {
                end = place;
            }
            rest = behind;
        }
        #[expect(clippy::cast_precision_loss, reason = "a time for people")]
        let seconds = end.checked_sub(skipped)? as f64 / SECOND;
        let sound = packets.get(HEADERS..).filter(|sound| !sound.is_empty())?;
        (seconds > 0.0 && seconds <= SECONDS_MAX).then(|| Self {
            seconds,
            loudness: loudness(sound),
        })
    }
}

/// Opus spends more bytes on what is louder, so the length of a packet is as much of a picture as people look at.
fn loudness(packets: &[usize]) -> Vec<u8> {
    let moments = packets.chunks(packets.len().div_ceil(MOMENTS_MAX).max(1));
    let loud: Vec<usize> = moments
        .map(|moment| moment.iter().sum::<usize>() / moment.len().max(1))
        .collect();
    let loudest = loud.iter().copied().max().unwrap_or_default().max(1);
    let shown = loud
        .iter()
        .map(|loud| u8::try_from(loud * usize::from(u8::MAX) / loudest));
    shown.map(|shown| shown.unwrap_or(u8::MAX)).collect()
}

fn number(head: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?))
}

/// A recording of so many packets of 20 ms, each so long.
#[cfg(test)]
pub(crate) fn recording(packets: &[u8]) -> Vec<u8> {
    let page = |place: i64, number: u32, packets: &[&[u8]]| {
        let mut page = [PAGE, &[0, 0]].concat();
        page.extend(place.to_le_bytes());
        page.extend(7_u32.to_le_bytes());
        page.extend(number.to_le_bytes());
        page.extend([0; 4]);
        page.push(u8::try_from(packets.len()).unwrap_or(u8::MAX));
        page.extend(
            packets
                .iter()
                .map(|packet| u8::try_from(packet.len()).unwrap_or(u8::MAX)),
        );
        page.extend(packets.concat());
        page
    };
    let head = [OPUS, &[1, 1, 0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0, 0]].concat();
    let mut file = page(0, 0, &[&head]);
    file.extend(page(0, 1, &[b"OpusTags\0\0\0\0\0\0\0\0"]));
    let mut place = 0x138;
    for (number, packets) in (2..).zip(packets.chunks(50)) {
        place += 960 * i64::try_from(packets.len()).unwrap_or_default();
        let packets: Vec<Vec<u8>> = packets
            .iter()
            .map(|length| vec![1; usize::from(*length)])
            .collect();
        let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        file.extend(page(place, number, &packets));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_says_how_long_and_how_loud_it_is() {
        let file = recording(&[[10; 50], [100; 50], [50; 50]].concat());

        let Voice { seconds, loudness } = Voice::of(&file).expect("a recording");

        assert!((seconds - 3.0).abs() < 0.001, "{seconds}");
        assert_eq!(
            (loudness.len(), loudness[0], loudness[75], loudness[149]),
            (150, 25, 255, 127)
        );
    }

    #[test]
    fn a_long_one_has_as_many_moments_as_are_taken() {
        let Voice { seconds, loudness } = Voice::of(&recording(&[80; 3_000])).expect("a recording");

        assert!((seconds - 60.0).abs() < 0.001, "{seconds}");
        assert!(
            (200..=MOMENTS_MAX).contains(&loudness.len()),
            "{}",
            loudness.len()
        );
    }

    #[test]
    fn what_is_cut_off_or_is_something_else_is_no_recording() {
        let file = recording(&[80; 100]);
        for cut in [0, 3, HEAD_BYTES, 60, file.len() - 1] {
            assert_eq!(Voice::of(file.get(..cut).unwrap_or_default()), None, "{cut}");
        }
        let mut mixed = file.clone();
        mixed.extend(
            recording(&[80; 10])
                .iter()
                .map(|byte| if *byte == 7 { 8 } else { *byte }),
        );
        assert_eq!(Voice::of(&mixed), None, "two streams");
        assert_eq!(Voice::of(&recording(&[])), None, "no sound");
        assert_eq!(Voice::of(b"OggS\0\x02 and so on OpusHead\x01"), None);
    }
}
