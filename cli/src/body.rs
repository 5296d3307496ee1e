//! Messages as lines.

use std::fmt::Write;

use flockmq::{Delivery, Value};
use serde_json::{Map, Number, json};

use crate::paint;
use crate::subscribe::Format;

/// A message as it is written, without the end of its line.
pub(crate) fn line(delivery: &Delivery, format: Format, is_terminal: bool) -> String {
    match format {
        Format::Json => json(delivery),
        Format::Text if is_terminal => paint::harmless(&readable(delivery.data()).0),
        Format::Text => readable(delivery.data()).0,
    }
}

/// Content as one text: as it is if it is UTF-8. Otherwise bytes that are none are written `\xNN`, and a backslash
/// is doubled.
pub(crate) fn readable(data: &[u8]) -> (String, bool) {
    if let Ok(text) = str::from_utf8(data) {
        return (text.to_owned(), false);
    }
    let mut shown = String::with_capacity(data.len() + 16);
    for chunk in data.utf8_chunks() {
        shown.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            _ = write!(shown, "\\x{byte:02x}"); // Writing to a string can't fail.
        }
    }
    (shown, true)
}

/// A delivery as one line of JSON.
pub(crate) fn json(delivery: &Delivery) -> String {
    let (body, is_escaped) = readable(delivery.data());
    let properties: Map<String, serde_json::Value> =
        delivery.properties().iter().map(|(name, value)| (name.to_owned(), json_value(value))).collect();
    let mut line = json!({
        "body": body,
        "destination": delivery.destination().to_string(),
        "id": delivery.id().to_string(),
        "properties": properties,
        "redeliveries": delivery.redeliveries(),
        "timestamp": delivery.timestamp.as_millis(),
    });
    if is_escaped {
        line["escaped"] = true.into();
    }
    line.to_string()
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        // JSON has no word for what is no number; text is better than nothing.
        Value::Float(value) => Number::from_f64(*value).map_or_else(|| value.to_string().into(), Into::into),
        Value::Int(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(readable("é\\x\n".as_bytes()), ("é\\x\n".into(), false));
    }

    #[test]
    fn bytes_that_are_no_text_can_be_read_back() {
        assert_eq!(readable(b"a\\\xff\xc3b\xc3\xa9"), ("a\\\\\\xff\\xc3bé".into(), true));
    }

    #[test]
    fn values_keep_their_type() {
        let shown = [1.5.into(), Value::Int(-1), true.into(), "x".into(), f64::NAN.into()]
            .map(|value| json_value(&value).to_string());
        assert_eq!(shown, ["1.5", "-1", "true", "\"x\"", "\"NaN\""]);
    }
}
