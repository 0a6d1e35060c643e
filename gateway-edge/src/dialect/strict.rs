//! Reads the parameters of `connect` as JSON that means one thing: a key given twice, a number beyond all numbers and half of
//! a surrogate pair are refused by name, each with its path.

use std::{cell::RefCell, fmt};

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Bytes of a path that are repeated to a client.
const PATH_MAX: usize = 160;

/// Reads a text that is JSON as far as its form goes.
///
/// # Errors
/// What is wrong, with the path to it.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    let path = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node(&path).read(&mut reader);
    value.map_err(|error| format!("at {}: {}", shown(&path.borrow()), problem(&error)))
}

/// Where we are: the keys and indexes that lead here. They stay when something is wrong below.
type Path = RefCell<Vec<String>>;

#[derive(Clone, Copy)]
struct Node<'a>(&'a Path);

impl Node<'_> {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn enter(self, step: String) {
        self.0.borrow_mut().push(step);
    }

    fn leave(self) {
        self.0.borrow_mut().pop();
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.read(deserializer)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(number.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        self.enter("0".to_owned());
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
            self.leave();
            self.enter(list.len().to_string());
        }
        self.leave();
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
                return Err(A::Error::custom(format_args!(
                    "property '{shown}' is given twice"
                )));
            }
            self.enter(key.clone());
            let value = entries.next_value_seed(self)?;
            self.leave();
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// A path as a JSON pointer, without what moves a cursor.
fn shown(path: &[String]) -> String {
    if path.is_empty() {
        return "root".to_owned();
    }
    let mut pointer = String::new();
    for step in path {
        pointer.push('/');
        pointer.extend(step.chars().filter(|c| !c.is_control()));
        if pointer.len() > PATH_MAX {
            pointer.truncate(pointer.floor_char_boundary(PATH_MAX));
            pointer.push('…');
            break;
        }
    }
    pointer
}

/// What the parser found, in the words of the other refusals.
fn problem(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let (told, _) = told.rsplit_once(" at line ").unwrap_or((&told, ""));
    if told.contains("surrogate") || told.contains("hex escape") {
        "a string has half of a surrogate pair".to_owned()
    } else if told.contains("out of range") {
        "a number is out of range".to_owned()
    } else if told.contains("recursion") {
        "nests too deeply".to_owned()
    } else {
        told.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_as_what_it_is_and_where() {
        for (text, told) in [
            (
                r#"{"client":{"id":"\ud800"}}"#,
                "at /client/id: a string has half of a surrogate pair",
            ),
            (
                r#"{"client":{"id":"\udc00x"}}"#,
                "at /client/id: a string has half of a surrogate pair",
            ),
            (
                r#"{"scopes":["a","\ud800\u0041"]}"#,
                "at /scopes/1: a string has half of a surrogate pair",
            ),
            (
                r#"{"\ud83d":1}"#,
                "at root: a string has half of a surrogate pair",
            ),
            (
                r#"{"maxProtocol":1e400}"#,
                "at /maxProtocol: a number is out of range",
            ),
            (r#"{"a":[-1e999]}"#, "at /a/0: a number is out of range"),
            (r#"{"a":1,"a":1}"#, "at root: property 'a' is given twice"),
            (r#"{"a":1,"\u0061":2}"#, "at root: property 'a' is given twice"),
            (
                r#"{"auth":{"token":"x","token":"y"}}"#,
                "at /auth: property 'token' is given twice",
            ),
            (
                r#"{"a":[{},{"b":{"c":1,"c":2}}]}"#,
                "at /a/1/b: property 'c' is given twice",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), told, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let told = read(&deep).unwrap_err();
        assert!(told.ends_with("nests too deeply") && told.len() < 300, "{told}");
        let long = format!(r#"{{"{}":1e400}}"#, "k\u{1b}".repeat(1000));
        assert!(read(&long).unwrap_err().len() < 300);
    }

    #[test]
    fn a_pair_of_surrogates_and_the_same_key_in_other_objects_are_fine() {
        let text = r#"{"a":{"k":"\ud83d\ude00"},"b":{"k":[1,-2,0.5,1e10,true,null,"x"]}}"#;

        let value = read(text).unwrap();

        assert_eq!(
            value,
            json!({"a": {"k": "😀"}, "b": {"k": [1, -2, 0.5, 1e10, true, null, "x"]}})
        );
    }

    proptest! {
        #[test]
        fn it_reads_what_is_written(numbers in prop::collection::vec(any::<i64>(), 0..8), text in ".{0,40}") {
            let value = json!({"numbers": numbers, "text": text, "nested": {"text": [text]}});
            prop_assert_eq!(read(&value.to_string()), Ok(value));
        }
    }
}
