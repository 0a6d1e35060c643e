use super::*;

fn whole(text: &str) -> Result<&str, Syntax> {
    verbatim(text, DEPTH_MAX)
}

fn string(text: &str) -> Result<String, Syntax> {
    Scanner::new(text).string().map(Cow::into_owned)
}

#[test]
fn every_form_of_a_value_is_taken_and_trimmed() {
    let forms = [
        "{}",
        "[]",
        "\"\"",
        "true",
        "false",
        "null",
        "0",
        "-0",
        "-1.5e+10",
        "1E3",
        "[1, [2, {}], {\"a\": [] }]",
    ];
    for form in forms {
        assert_eq!(whole(&format!(" \n{form}\t\r ")), Ok(form));
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let wrong = [
        "",
        " ",
        "{",
        "[",
        "\"",
        "tru",
        "nul",
        "01",
        "-",
        "1.",
        "1e",
        ".5",
        "+1",
        "NaN",
        "Infinity",
        "[1,]",
        "[,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\u{feff}1",
        "[]]",
        "//x\n1",
        "\u{a0}1",
    ];
    for text in wrong {
        assert!(whole(text).is_err(), "{text:?}");
    }
}

#[test]
fn escapes_mean_what_they_mean() {
    let text = r#""a\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00z""#;

    assert_eq!(string(text).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tAé😀z");
    assert_eq!(string("\"käse\"").unwrap(), "käse");
}

#[test]
fn depth_is_counted_without_recursion() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);

    assert!(whole(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(whole(&nested(DEPTH_MAX + 1)).unwrap_err().what, TOO_DEEP);
    assert_eq!(whole(&nested(100_000)).unwrap_err().what, TOO_DEEP);
    assert_eq!(whole(&"{\"a\":".repeat(100_000)).unwrap_err().what, TOO_DEEP);
    assert!(verbatim("[[]]", 1).is_err() && verbatim("[[]]", 2).is_ok() && verbatim("5", 0).is_ok());
}

#[test]
fn a_written_string_reads_back() {
    let text: String = (0..0x300u32)
        .filter_map(char::from_u32)
        .chain(['\u{2028}', '😀', '\u{10ffff}'])
        .collect();
    let mut out = Vec::new();

    write_string(&text, &mut out);

    let written = String::from_utf8(out).unwrap();
    assert_eq!(string(&written).unwrap(), text);
    assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
}

#[test]
fn numbers_are_written_short_and_exact() {
    let signed = |value: i64| {
        let mut out = Vec::new();
        write_signed(value, &mut out);
        String::from_utf8(out).unwrap()
    };
    let double = |value: f64| {
        let mut out = Vec::new();
        write_double(value, value, &mut out);
        String::from_utf8(out).unwrap()
    };

    for value in [0, 7, 10, -1, 99, 100, i64::MAX, i64::MIN] {
        assert_eq!(signed(value), value.to_string());
    }
    assert_eq!(double(5.0), "5");
    assert_eq!(double(0.1), "0.1");
    assert_eq!(double(1e300), "1e300");
    assert_eq!(double(f64::NAN), "null");
    assert_eq!(double(f64::NEG_INFINITY), "null");
    for value in [
        1e-7,
        123_456.789,
        f64::MAX,
        f64::MIN_POSITIVE,
        -0.0,
        9_007_199_254_740_993.0,
        1e21,
    ] {
        assert_eq!(
            serde_json::from_str::<f64>(&double(value)).unwrap(),
            value,
            "{}",
            double(value)
        );
    }
}

#[test]
fn what_ends_a_string_is_found_wherever_it_stands() {
    for filler in ["x", "é", "\u{7f}", "\u{2028}", " "] {
        for before in 0..20 {
            for after in 0..10 {
                let (head, tail) = (filler.repeat(before), filler.repeat(after));
                let plain = format!("\"{head}{tail}\"");
                let quoted = format!("\"{head}\\\"{tail}\"");
                let control = format!("\"{head}\u{1f}{tail}\"");
                let open = format!("\"{head}{tail}");

                assert_eq!(string(&plain), Ok(format!("{head}{tail}")));
                assert_eq!(string(&quoted), Ok(format!("{head}\"{tail}")));
                assert_eq!(string(&control).unwrap_err().at, 1 + head.len());
                assert_eq!(string(&open).unwrap_err().at, open.len());
            }
        }
    }
}
