//! Typed properties that travel with a message.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A property's value (the JMS property types that FlockMQ carries).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A 64-bit floating-point number.
    Float(f64),
    /// A 64-bit whole number.
    Int(i64),
    /// Text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// Why a property was refused; the properties are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// A property without a name.
    #[error("a property needs a name")]
    NoName,
    /// More than [`Properties::COUNT_MAX`].
    #[error("a message may have {max} properties at most; '{name}' would be one more", max = Properties::COUNT_MAX)]
    TooMany {
        /// The property that found no room.
        name: String,
    },
}

/// Named values in the order they were set; a name stands once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, Value)>", into = "Vec<(String, Value)>")]
pub struct Properties(Vec<(String, Value)>);

impl Properties {
    /// Those of a message that has none.
    pub(super) const NONE: Self = Self(Vec::new());

    /// How many properties a message may have.
    pub const COUNT_MAX: usize = 1024;

    /// Sets `name` to `value`, in its old place if it had one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), PropertiesError> {
        if name.is_empty() {
            return Err(PropertiesError::NoName);
        }
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == name) {
            *old = value.into();
            return Ok(());
        }
        if self.0.len() == Self::COUNT_MAX {
            return Err(PropertiesError::TooMany { name: name.into() });
        }
        self.0.push((name.into(), value.into()));
        Ok(())
    }

    /// The value of `name`, if it is set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All properties in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes of memory they take.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| size_of::<(String, Value)>() + name.len() + text_len(value)).sum()
    }
}

impl TryFrom<Vec<(String, Value)>> for Properties {
    type Error = PropertiesError;

    /// Takes them as they come: names that stand twice are the sender's doing and the first counts.
    fn try_from(items: Vec<(String, Value)>) -> Result<Self, Self::Error> {
        match items.get(Self::COUNT_MAX) {
            Some((name, _)) => Err(PropertiesError::TooMany { name: name.clone() }),
            None if items.iter().any(|(name, _)| name.is_empty()) => Err(PropertiesError::NoName),
            None => Ok(Self(items)),
        }
    }
}

impl From<Properties> for Vec<(String, Value)> {
    fn from(properties: Properties) -> Self {
        properties.0
    }
}

fn text_len(value: &Value) -> usize {
    match value {
        Value::Bool(_) | Value::Float(_) | Value::Int(_) => 0,
        Value::Text(text) => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_name_stands_once_and_keeps_its_place() {
        let mut properties = Properties::default();
        properties.set("a", 1_i64).expect("room");
        properties.set("b", true).expect("room");
        properties.set("a", "x").expect("room");
        let found: Vec<_> = properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found, ["a=x", "b=true"]);
    }

    #[test]
    fn the_count_is_bounded() {
        let mut properties = Properties::default();
        for n in 0..Properties::COUNT_MAX {
            properties.set(&format!("p{n}"), 0_i64).expect("room");
        }
        assert_eq!(properties.set("more", 0_i64), Err(PropertiesError::TooMany { name: "more".into() }));
        assert_eq!(properties.set("p0", 1_i64), Ok(()));
        assert_eq!(properties.set("", 1_i64), Err(PropertiesError::NoName));
    }

    #[test]
    fn a_value_is_what_was_set_and_prints_as_it() {
        let mut properties = Properties::default();
        assert!(properties.is_empty());
        properties.set("bool", true).expect("room");
        properties.set("float", 1.5).expect("room");
        properties.set("int", -7_i64).expect("room");
        properties.set("text", String::from("words")).expect("room");
        let values = [Value::Bool(true), Value::Float(1.5), Value::Int(-7), Value::Text("words".into())];
        let printed = ["true", "1.5", "-7", "words"];
        assert_eq!(values.each_ref().map(Value::to_string), printed);
        assert!(properties.iter().eq(["bool", "float", "int", "text"].into_iter().zip(&values)));
        assert_eq!((properties.get("float"), properties.get("Float")), (Some(&values[1]), None));
        assert!(!properties.is_empty());
    }

    #[test]
    fn properties_take_what_each_of_them_takes() {
        let size = |items: &[(&str, &str)]| {
            let mut properties = Properties::default();
            for (name, value) in items {
                properties.set(name, *value).expect("room");
            }
            properties.size()
        };
        assert_eq!(size(&[]), 0);
        assert!(size(&[("a", "")]) > size_of::<Value>());
        assert_eq!(size(&[("abc", "12345")]), size(&[("a", "")]) + 2 + 5);
        assert_eq!(size(&[("abc", "12345"), ("a", "")]), size(&[("abc", "12345")]) + size(&[("a", "")]));
        let mut number = Properties::default();
        number.set("a", i64::MAX).expect("room");
        assert_eq!(number.size(), size(&[("a", "")]));
    }

    #[test]
    fn properties_that_come_by_link_keep_to_the_same_limits() {
        let items = |count: usize| alloc::vec![("n".into(), Value::Int(1)); count];
        let most = Properties::try_from(items(Properties::COUNT_MAX)).expect("as many as are allowed");
        assert_eq!(Vec::from(most), items(Properties::COUNT_MAX));
        let error = Properties::try_from(items(Properties::COUNT_MAX + 1));
        assert_eq!(error, Err(PropertiesError::TooMany { name: "n".into() }));
        let nameless = alloc::vec![("n".into(), Value::Int(1)), (String::new(), Value::Int(1))];
        assert_eq!(Properties::try_from(nameless), Err(PropertiesError::NoName));
    }
}
