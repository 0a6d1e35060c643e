use super::*;

fn redaction(url: &str, secrets: &[&str]) -> Redaction {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Redaction::of(&Url::parse(url).unwrap(), &secrets)
}

#[test]
fn a_key_is_hidden_in_every_form_in_which_it_may_come_back() {
    let key = "sk/very+se\"cret&==";
    let redaction = redaction("http://h/v1", &[key]);
    for form in [
        key.to_owned(),
        serde_json::to_string(key).unwrap(),
        serde_json::to_string(&serde_json::to_string(key).unwrap()).unwrap(),
        "sk\\/very+se\\\"cret&==".to_owned(),
        format!("{key:?}"),
        "sk%2Fvery%2Bse%22cret%26%3D%3D".to_owned(),
        "sk%2fvery%2bse%22cret%26%3d%3d".to_owned(),
        "sk%252Fvery%252Bse%2522cret%2526%253D%253D".to_owned(),
        "sk/very+se&quot;cret&amp;==".to_owned(),
        STANDARD.encode(key),
        URL_SAFE_NO_PAD.encode(key),
        STANDARD.encode(format!("Bearer {key}")),
        STANDARD.encode(format!("me:{key}")),
        URL_SAFE.encode(format!("x{key}yz")),
        STANDARD.encode(format!("xy{key}")),
        key.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        let shown = redaction.clean(&format!("you sent <{form}>, sorry"));

        assert!(shown.contains(SHOWN), "{form}: {shown}");
        let shown = shown.replace(SHOWN, "");
        assert!(
            !shown.contains("very") && !shown.contains("cret"),
            "{form}: {shown}"
        );
    }
}

#[test]
fn what_an_address_holds_is_hidden() {
    let redaction = redaction(
        "https://me:hunt%2Fer2@h/v1?key=q-secret%2B1&api-version=2024-10-21&t=abcd",
        &[],
    );

    for secret in [
        "hunt/er2",
        "hunt%2Fer2",
        "hunt%2fer2",
        "me:hunt/er2",
        &STANDARD.encode("me:hunt/er2"),
        &URL_SAFE_NO_PAD.encode("me:hunt/er2"),
        "q-secret+1",
        "q-secret%2B1",
        &STANDARD.encode("q-secret+1"),
        "abcd",
    ] {
        let shown = redaction.clean(&format!("refused: ({secret})"));

        assert_eq!(shown, "refused: ([secret])", "{secret}");
    }
    assert_eq!(
        redaction.clean("2024-10-21 is too old for me"),
        "2024-10-21 is too old for me"
    );
}

#[test]
fn a_token_in_the_path_is_hidden_and_a_name_is_not() {
    let redaction = redaction("https://h/hooks/Xk29dkWq0aBz81LmPq73RtYu/openai/v1", &[]);

    assert_eq!(
        redaction.clean("Cannot POST /hooks/Xk29dkWq0aBz81LmPq73RtYu/openai/v1"),
        "Cannot POST /hooks/[secret]/openai/v1"
    );
}

#[test]
fn a_token_in_place_of_the_name_is_hidden() {
    assert_eq!(redaction("https://tok-1@h/v1", &[]).clean("tok-1?"), "[secret]?");
}

#[test]
fn what_stands_behind_the_scheme_of_a_header_is_hidden() {
    let basic = format!("Basic {}", STANDARD.encode("me:hunter2"));
    let redaction = redaction("http://h", &["Bearer sk-very-secret", &basic]);

    assert_eq!(
        redaction.clean("no sk-very-secret, no hunter2"),
        "no [secret], no [secret]"
    );
}

#[test]
fn a_placeholder_is_left_in_the_text() {
    let redaction = redaction("http://h/v1", &["ollama", "k", ""]);

    assert_eq!(redaction.clean("see ollama ps, k?"), "see ollama ps, k?");
}

#[test]
fn ordinary_words_are_left_alone_and_a_word_is_hidden_where_it_stands_as_a_key() {
    for key in [
        "ollama",
        "lm-studio",
        "not-needed",
        "none",
        "sk-no-key-required",
        "EMPTY",
        "password",
    ] {
        let text = format!("see {key} ps: none of the GPUs fits, {key}!");
        assert_eq!(
            redaction("http://h/v1", &[key]).clean(&text),
            text,
            "a public placeholder"
        );
    }
    let named = redaction("http://h/v1?stream=true", &["koboldcpp"]);
    for text in [
        "the koboldcpp server is busy",
        "model 'koboldcpp' not found",
        "Koboldcpp, koboldcpps: is it true",
        "stream: true",
    ] {
        assert_eq!(named.clean(text), text);
    }
    for (text, shown) in [
        (
            "Incorrect API key provided: koboldcpp.",
            "Incorrect API key provided: [secret].",
        ),
        ("invalid key 'koboldcpp'", "invalid key '[secret]'"),
        ("Bearer koboldcpp is unknown", "Bearer [secret] is unknown"),
        (
            "{\"authorization\":\"koboldcpp\"}",
            "{\"authorization\":\"[secret]\"}",
        ),
        ("api_key=koboldcpp&x=1", "api_key=[secret]&x=1"),
    ] {
        assert_eq!(named.clean(text), shown);
    }
}

#[test]
fn a_short_password_is_hidden_as_a_word_and_not_inside_of_others() {
    let redaction = redaction("http://me:ab12@h/v1", &[]);

    assert_eq!(
        redaction.clean("ab12 is not a password"),
        "[secret] is not a password"
    );
    assert_eq!(redaction.clean("(ab12)"), "([secret])");
    assert_eq!(
        redaction.clean("request cab123d failed"),
        "request cab123d failed"
    );
}

#[test]
fn what_names_the_client_is_no_secret() {
    for header in [
        "X-Title",
        "http-referer",
        "User-Agent",
        "OpenAI-Organization",
        "anthropic-version",
    ] {
        assert!(is_public_header(header), "{header}");
    }
    for header in ["authorization", "x-api-key", "api-key", "cookie", "x-anything"] {
        assert!(!is_public_header(header), "{header}");
    }
}
