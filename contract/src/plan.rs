//! What a message looks like on both sides, compiled once from its descriptor. Plain data, and nothing else: `planner` makes
//! it; `encode`, `render` and `check` are functions over it.

#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
}

impl Schema {
    pub(crate) fn message(&self, index: usize) -> &Message {
        self.messages
            .get(index)
            .expect("the planner numbers every message it refers to")
    }

    pub(crate) fn words(&self, index: usize) -> &Enum {
        self.enums
            .get(index)
            .expect("the planner numbers every enum it refers to")
    }
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) full_name: String,
    pub(crate) comment: String,
    /// In the order of their numbers.
    pub(crate) fields: Vec<Field>,
    /// Indexes into `fields`, in the order of the JSON names.
    pub(crate) names: Vec<usize>,
    /// Indexes into `fields` by number, for the small numbers that nearly all fields have.
    pub(crate) small: Vec<Option<usize>>,
    /// The field that collects explicit nulls.
    pub(crate) nulls: Option<usize>,
    pub(crate) gateway_only: Vec<String>,
    /// What callers of the published protocol may send and the message does not have, in the order of the names.
    pub(crate) unserved: Vec<Unserved>,
}

/// A field of the published protocol that a message does not have.
#[derive(Debug)]
pub(crate) struct Unserved {
    pub(crate) name: String,
    /// Why; empty when nobody said it.
    pub(crate) reason: String,
    /// The values with which it changes nothing, as JSON text.
    pub(crate) harmless: Vec<String>,
    /// Whether it is passed over whatever its value is.
    pub(crate) is_ignored: bool,
}

impl Unserved {
    /// Whether this value, which is JSON text, changes nothing for the caller.
    pub(crate) fn passes(&self, value: &str) -> bool {
        self.is_ignored || value == "null" || self.harmless.iter().any(|harmless| harmless == value)
    }

    /// What a caller is told.
    pub(crate) fn problem(&self) -> String {
        if self.reason.is_empty() {
            "is not supported by this gateway, and would do nothing".to_owned()
        } else {
            format!("is not supported by this gateway: {}", self.reason)
        }
    }
}

impl Message {
    /// Finds a field by its JSON name. `likely` is where to look first: callers send fields in the contract's order more
    /// often than not.
    pub(crate) fn by_name(&self, name: &str, likely: usize) -> Option<usize> {
        if self.fields.get(likely).is_some_and(|field| *field.name == *name) {
            return Some(likely);
        }
        let name_of = |index: &usize| self.fields.get(*index).map_or("", |field| &field.name);
        let place = self
            .names
            .binary_search_by(|index| name_of(index).cmp(name))
            .ok()?;
        self.names.get(place).copied()
    }

    /// Finds what the message does not have by its JSON name.
    pub(crate) fn unserved(&self, name: &str) -> Option<&Unserved> {
        let by_name = |unserved: &Unserved| unserved.name.as_str().cmp(name);
        let place = self.unserved.binary_search_by(by_name).ok()?;
        self.unserved.get(place)
    }

    /// Finds a field by its number.
    pub(crate) fn by_number(&self, number: u32) -> Option<usize> {
        let small = usize::try_from(number)
            .ok()
            .and_then(|number| self.small.get(number));
        match small {
            Some(found) => *found,
            None => self
                .fields
                .binary_search_by_key(&number, |field| field.number)
                .ok(),
        }
    }
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of the contract, each a bool there too"
)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    /// `"name":`, as it is written.
    pub(crate) key: Vec<u8>,
    pub(crate) comment: String,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) raw_json: bool,
    pub(crate) emit_null: bool,
    pub(crate) omit_empty: bool,
    pub(crate) append: bool,
    /// Its value stands for the whole message.
    pub(crate) whole: bool,
    /// A list that callers have to give.
    pub(crate) given: bool,
    pub(crate) gateway_only: bool,
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Required,
    Optional,
    Oneof(usize),
    Repeated,
    /// The kind of the field is the entry: a message with `key` 1 and `value` 2.
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(usize),
    Message(usize),
}

impl Kind {
    /// The wire type of one value, section "Message Structure" of the encoding guide.
    pub(crate) fn wire_type(self) -> u32 {
        match self {
            Self::Bool
            | Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64 => 0,
            Self::Enum(_) => 0,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => 1,
            Self::String | Self::Bytes | Self::Message(_) => 2,
            Self::Fixed32 | Self::Sfixed32 | Self::Float => 5,
        }
    }

    /// Whether several values may stand in one length-delimited record.
    pub(crate) fn packs(self) -> bool {
        self.wire_type() != 2
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) min_length: Option<u32>,
    pub(crate) max_length: Option<u32>,
    pub(crate) minimum: Option<i64>,
    pub(crate) maximum: Option<i64>,
    pub(crate) max_items: Option<u32>,
}

impl Bounds {
    pub(crate) fn length(&self, bytes: usize) -> Result<(), String> {
        let longer = |bound: u32| usize::try_from(bound).is_ok_and(|bound| bytes > bound);
        match (self.min_length, self.max_length) {
            (Some(1), _) if bytes == 0 => Err("must not be empty".to_owned()),
            (Some(least), _) if least > 0 && !longer(least - 1) => {
                Err(format!("must be at least {least} bytes long"))
            }
            (_, Some(most)) if longer(most) => Err(format!("must be at most {most} bytes long")),
            _ => Ok(()),
        }
    }

    pub(crate) fn number(&self, value: i128) -> Result<(), String> {
        let below = self.minimum.is_some_and(|least| value < i128::from(least));
        let above = self.maximum.is_some_and(|most| value > i128::from(most));
        if below || above { Err(self.range()) } else { Ok(()) }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a bound above 2^53 is compared as nearly as a double can be"
    )]
    pub(crate) fn double(&self, value: f64) -> Result<(), String> {
        let below = self.minimum.is_some_and(|least| value < least as f64);
        let above = self.maximum.is_some_and(|most| value > most as f64);
        if below || above { Err(self.range()) } else { Ok(()) }
    }

    pub(crate) fn items(&self, count: usize) -> Result<(), String> {
        match self.max_items {
            Some(most) if usize::try_from(most).is_ok_and(|most| count > most) => {
                Err(format!("must have at most {most} items"))
            }
            _ => Ok(()),
        }
    }

    fn range(&self) -> String {
        match (self.minimum, self.maximum) {
            (Some(least), Some(most)) => format!("must be between {least} and {most}"),
            (Some(least), None) => format!("must be at least {least}"),
            (None, Some(most)) => format!("must be at most {most}"),
            (None, None) => "is out of range".to_owned(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Enum {
    /// Number and word, in the order of the contract. Two numbers never share a word.
    pub(crate) words: Vec<(i32, String)>,
}

impl Enum {
    pub(crate) fn word(&self, number: i32) -> Option<&str> {
        self.words
            .iter()
            .find(|(known, _)| *known == number)
            .map(|(_, word)| word.as_str())
    }

    /// The number of a word that a caller may send: any but zero's.
    pub(crate) fn number(&self, word: &str) -> Option<i32> {
        self.words
            .iter()
            .find(|(number, known)| *number != 0 && known == word)
            .map(|(number, _)| *number)
    }

    pub(crate) fn choices(&self) -> String {
        let words: Vec<_> = self
            .words
            .iter()
            .filter(|(number, _)| *number != 0)
            .map(|(_, word)| word.as_str())
            .collect();
        words.join("|")
    }
}
