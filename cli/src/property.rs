//! Properties of messages as people write them.

use flockmq::{Message, PropertiesError, Value};

/// One property: `name=value`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    name: String,
    value: Value,
}

impl Property {
    /// Reads `name=value`. `true` and `false`, whole numbers and other numbers are values of those types, whatever
    /// else is text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None => Err(format!("'{text}' has no '='; expected NAME=VALUE")),
            Some(("", _)) => Err(format!("'{text}' has no name; expected NAME=VALUE")),
            Some((name, value)) => Ok(Self { name: name.to_owned(), value: typed(value) }),
        }
    }

    /// Sets it.
    pub(crate) fn apply(&self, message: Message) -> Result<Message, PropertiesError> {
        message.property(&self.name, self.value.clone())
    }
}

fn typed(text: &str) -> Value {
    if let Ok(value) = text.parse::<bool>() {
        return value.into();
    }
    if let Ok(value) = text.parse::<i64>() {
        return value.into();
    }
    // Words such as `inf` are words.
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(value) if is_number && value.is_finite() => value.into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_they_look_like() {
        let value = |text: &str| Property::parse(text).map(|property| property.value);
        assert_eq!(value("a=true"), Ok(Value::Bool(true)));
        assert_eq!(value("a=-7"), Ok(Value::Int(-7)));
        assert_eq!(value("a=1.5"), Ok(Value::Float(1.5)));
        assert_eq!(value("a=9223372036854775808"), Ok(Value::Float(9_223_372_036_854_775_808.0)));
        for text in ["", "True", "inf", "nan", "1x", "b=c", "1e999"] {
            assert_eq!(value(&format!("a={text}")), Ok(Value::Text(text.into())));
        }
    }

    #[test]
    fn what_is_no_property_is_quoted() {
        assert_eq!(Property::parse("abc"), Err("'abc' has no '='; expected NAME=VALUE".into()));
        assert_eq!(Property::parse("=1"), Err("'=1' has no name; expected NAME=VALUE".into()));
    }
}
