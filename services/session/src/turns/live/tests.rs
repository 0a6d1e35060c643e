use super::*;
use crate::testing::key;

fn since(live: &Live, mark: &mut Mark) -> Option<(String, bool)> {
    let written = live.written_since(mark, 6)?;
    Some((written.text, written.replace))
}

#[test]
fn whoever_reads_along_is_given_each_word_once_and_told_when_the_text_begins_anew() {
    let (live, mut mark) = (
        Live::new(RunId::new("r"), key("main"), 1, Timestamp::from_ms(0)),
        Mark::default(),
    );
    assert_eq!(since(&live, &mut mark), None);

    live.append("one ");
    assert_eq!(since(&live, &mut mark), Some(("one ".into(), false)));
    assert_eq!(since(&live, &mut mark), None);
    live.append("two wörds");
    assert_eq!(
        since(&live, &mut mark),
        Some(("two w".into(), false)),
        "never within a character"
    );
    assert_eq!(since(&live, &mut mark), Some(("örds".into(), false)));

    live.begin_message();
    assert_eq!(since(&live, &mut mark), None, "nothing takes its place yet");
    live.append("anew");
    assert_eq!(since(&live, &mut mark), Some(("anew".into(), true)));
    live.go_on();
    live.append("!");
    assert_eq!(since(&live, &mut mark), Some((format!("{PART}!"), false)));
}
