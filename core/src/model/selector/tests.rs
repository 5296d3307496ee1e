//! Selectors as a whole: a table of what they say, and laws against an evaluator that knows nothing but definitions.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;
use std::hash::{BuildHasherDefault, DefaultHasher};

use proptest::collection::vec as several;
use proptest::option;
use proptest::prelude::*;

use super::pattern::Pattern;
use super::*;
use crate::base::Timestamp;
use crate::model::{
    Body, BrokerId, Destination, HeaderFields, Headers, Message, MessageId, Path, ProducerId, Properties, Value,
};

fn message() -> Message {
    Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 2 }, sequence: 3 },
        destination: Destination::topic("prices.eu").expect("a valid name"),
        path: Path::default(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        body: Body::default(),
    }
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A value as `cases.txt` writes it.
fn value(written: &str) -> Value {
    match written {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text if text.starts_with('\'') => Value::Text(text[1..text.len() - 1].replace("''", "'")),
        number if number.contains('.') => Value::Float(number.parse().expect(number)),
        number => Value::Int(number.parse().expect(number)),
    }
}

#[test]
fn selectors_say_what_the_table_says() {
    let (mut told, mut lines, mut count) = (message(), include_str!("cases.txt").lines().peekable(), 0);
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "message" {
            told = message();
            while let Some(property) = lines.next_if(|line| line.starts_with("  ")) {
                let (name, written) = property.trim().split_once(" = ").expect(property);
                match (name, value(written)) {
                    ("JMSType", Value::Text(text)) => told.body.headers.message_type = Some(text),
                    (name, value) => told.body.headers.properties.set(name, value).expect("room"),
                }
            }
            continue;
        }
        let (expected, text) = line.split_once(' ').map(|(word, text)| (word, text.trim_start())).expect(line);
        if expected == "refused" {
            let error = Selector::parse(text).expect_err(text).to_string();
            let expected = format!("selector {text:?}: {}", lines.next().expect("what is wrong").trim());
            assert_eq!(error, expected);
        } else {
            let (verdict, negated) = match expected {
                "true" => (Verdict::True, Verdict::False),
                "false" => (Verdict::False, Verdict::True),
                "unknown" => (Verdict::Unknown, Verdict::Unknown),
                other => panic!("there is no verdict '{other}'"),
            };
            assert_eq!(selector(text).evaluate(&told), verdict, "{text}");
            assert_eq!(selector(&format!("NOT ({text}\n)")).evaluate(&told), negated, "NOT ({text})");
            assert_eq!(selector(text).matches(&told), verdict == Verdict::True, "{text}");
        }
        count += 1;
    }
    assert!(count > 200, "{count} lines say anything");
}

#[test]
fn a_selector_is_its_text() {
    let hash = |selector: &Selector| BuildHasherDefault::<DefaultHasher>::default().hash_one(selector);
    let [a, same, other] = ["a = 1", "a = 1", " a=1"].map(selector);
    assert_eq!((a == same, a == a.clone(), a == other), (true, true, false));
    assert_eq!((a.cmp(&same), a.cmp(&other), a.partial_cmp(&other)), ("".cmp(""), "b".cmp("a"), "b".partial_cmp("a")));
    assert_eq!((hash(&a) == hash(&same), hash(&a) == hash(&other)), (true, false));
    assert_eq!((a.as_str(), &*a.to_string(), &*format!("{a:?}")), ("a = 1", "a = 1", "Selector(\"a = 1\")"));
    assert_eq!((a.to_string().parse(), Selector::try_from(String::from(other))), (Ok(same), Ok(selector(" a=1"))));
}

#[test]
fn a_selector_travels_as_its_text() {
    let sent = selector("a = 'é'");
    let bytes = postcard::to_allocvec(&sent).expect("no limit");
    assert_eq!(bytes, postcard::to_allocvec("a = 'é'").expect("no limit"));
    assert_eq!(postcard::from_bytes::<Selector>(&bytes), Ok(sent));
    let broken = postcard::to_allocvec("a = ").expect("no limit");
    assert!(postcard::from_bytes::<Selector>(&broken).is_err());
}

#[test]
fn a_selector_may_be_this_long_and_no_longer() {
    let padded = |length: usize| format!("a{}", " ".repeat(length - 1));
    assert!(Selector::parse(&padded(Selector::LENGTH_MAX)).is_ok());
    let error = Selector::parse(&padded(Selector::LENGTH_MAX + 1)).expect_err("too long");
    assert_eq!(error, SelectorError::TooLong { column: 4097, length: 4097 });
    assert_eq!(error.to_string(), "the selector is 4097 bytes long; expected at most 4096");
    let wide = Selector::parse(&"é".repeat(2049)).expect_err("too long");
    assert_eq!((error.column(), wide.column()), (4097, 2049), "columns count characters");
}

#[test]
fn levels_may_be_nested_this_deep_and_no_deeper() {
    for [before, open, close] in [["", "(", ")"], ["", "NOT ", ""], ["1 = ", "- ", ""], ["1 = ", "+ ", ""]] {
        let nested = |depth| [before, &open.repeat(depth), "a", &close.repeat(depth)].concat();
        assert!(Selector::parse(&nested(Selector::NESTING_MAX)).is_ok(), "{open}");
        let text = nested(Selector::NESTING_MAX + 1);
        let error = Selector::parse(&text).expect_err("too deep");
        let column = before.len() + open.len() * Selector::NESTING_MAX + 1;
        assert_eq!(error.column(), column);
        let expected = format!(
            "selector {text:?}: {:?} at column {column} opens one level too many; expected at most 16 inside one another",
            open.trim()
        );
        assert_eq!(error.to_string(), expected);
    }
    assert!(Selector::parse("NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (a))))))))").is_ok());
    assert!(Selector::parse("NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (-a = 1))))))))").is_err(), "all of them count");
    assert!(Selector::parse(&vec!["((((a))))"; 100].join(" OR ")).is_ok(), "levels are closed again");
}

/// Steps: one for each operator, literal and identifier.
#[test]
fn a_selector_may_take_this_many_steps_and_no_more() {
    let evaluate = |text: &str| selector(text).evaluate(&message());
    let sum = |terms: usize| format!("{} > 0", vec!["1"; terms].join("+"));
    assert_eq!(evaluate(&sum(997)), Verdict::True, "a comparison, a sum, its terms and a literal: 1000 steps");
    assert_eq!(evaluate(&sum(998)), Verdict::TooCostly);
    assert!(!selector(&sum(998)).matches(&message()));
    // What decides ends it.
    assert_eq!(evaluate(&format!("TRUE OR {}", sum(998))), Verdict::True);
    assert_eq!(evaluate(&format!("FALSE AND {}", sum(998))), Verdict::False);
    assert_eq!(evaluate(&format!("FALSE OR {}", sum(998))), Verdict::TooCostly);
}

/// Somewhere every property is 1 and found at once.
struct Ones;

impl Lookup for Ones {
    fn header(&self, _: Header) -> Option<Operand<'_>> {
        None
    }

    fn property(&self, _: &str) -> Option<Operand<'_>> {
        Some(Operand::Int(1))
    }
}

#[test]
fn a_name_takes_one_step_where_nothing_else_is_said() {
    let evaluate = |names: usize| selector(&format!("{} > 0", vec!["a"; names].join("+"))).evaluate(&Ones);
    assert_eq!((evaluate(997), evaluate(998)), (Verdict::True, Verdict::TooCostly));
}

#[test]
fn comparing_long_texts_takes_steps() {
    let mut told = message();
    let text = |length: usize, last: &str| format!("{}{last}", "a".repeat(length - 1));
    let limit = (Selector::STEPS_MAX as usize - 3) * Selector::STEP_LENGTH;
    for (left, right, expected) in [
        (text(limit, "a"), text(limit, "a"), Verdict::True),
        (text(limit, "a"), text(limit, "b"), Verdict::False),
        (text(limit + 64, "a"), text(limit + 64, "a"), Verdict::TooCostly),
        (text(limit + 64, "a"), text(limit + 65, "a"), Verdict::False), // Its length tells.
    ] {
        told.body.headers.properties.set("left", left).expect("room");
        told.body.headers.properties.set("right", right).expect("room");
        assert_eq!(selector("left = right").evaluate(&told), expected);
    }
}

#[test]
fn patterns_take_steps() {
    let mut told = message();
    told.body.headers.properties.set("text", "a".repeat(70_000)).expect("room");
    told.body.headers.properties.set("short", "a".repeat(60_000)).expect("room");
    let evaluate = |text: &str| selector(text).evaluate(&told);
    assert_eq!(evaluate("text LIKE '%b%'"), Verdict::TooCostly);
    assert_eq!(evaluate("short LIKE '%b%'"), Verdict::False);
    assert_eq!(evaluate("text LIKE 'a%' AND text NOT LIKE 'b%'"), Verdict::True, "the beginning decides");
    // Runs are not tried against one another.
    assert_eq!(evaluate("short LIKE '%a%a%a%a%a%a%a%a%a%a%b'"), Verdict::False);
    assert_eq!(evaluate("short LIKE '%a%a%a%a%a%a%a%a%a%a%a'"), Verdict::True);
    assert_eq!(evaluate("text LIKE '%aaa' AND text NOT LIKE 'b%aab'"), Verdict::True, "so do both ends");
    assert_eq!(evaluate("short LIKE '%aaaaaaaaaab%'"), Verdict::TooCostly, "begun again at each character");
}

#[test]
fn finding_properties_takes_steps_where_there_are_many() {
    let mut told = message();
    let text = vec!["a = 1"; 100].join(" OR ");
    for count in 0..Properties::COUNT_MAX {
        assert_eq!(told.property_steps(), count / 64);
        told.body.headers.properties.set(&format!("p{count}"), 1_i64).expect("room");
        if count == 300 {
            assert_eq!(selector(&text).evaluate(&told), Verdict::Unknown);
        }
    }
    assert_eq!(selector(&text).evaluate(&told), Verdict::TooCostly);
    let again = Candidate::new(&told);
    assert_eq!((selector(&text).evaluate(&again), selector("p1000 = 1").matches(&again)), (Verdict::TooCostly, true));
}

#[test]
fn header_fields_are_what_jms_names_them() {
    let mut told = message();
    let verdict = |told: &Message, text: &str| selector(text).evaluate(told);
    for missing in ["JMSCorrelationID", "JMSReplyTo", "JMSType", "JMSXGroupID", "JMSXGroupSeq"] {
        assert_eq!(verdict(&told, &format!("{missing} IS NULL")), Verdict::True, "{missing}");
    }
    let plain = "JMSDeliveryMode = 'NON_PERSISTENT' AND JMSDestination = 'topic://prices.eu' \
        AND JMSMessageID = 'ID:00000000000000000000000000000001:2:3' AND JMSTimestamp = 1700000000000 \
        AND JMSPriority = 4 AND JMSExpiration = 0 AND NOT JMSRedelivered AND JMSXDeliveryCount = 1";
    assert_eq!(verdict(&told, plain), Verdict::True);
    told.body = Body {
        persistent: true,
        priority: 9.try_into().expect("a priority"),
        headers: Headers::from(HeaderFields {
            time_to_live: Some(Duration::from_millis(1500)),
            message_type: Some("car".into()),
            correlation_id: Some("question 7".into()),
            reply_to: Some(Destination::queue("answers").expect("a valid name")),
            ..HeaderFields::default()
        }),
        ..Body::default()
    };
    let rich = "JMSDeliveryMode = 'PERSISTENT' AND JMSPriority = 9 AND JMSType = 'car' \
        AND JMSCorrelationID = 'question 7' AND JMSReplyTo LIKE 'queue://answers'";
    assert_eq!(verdict(&told, &format!("{rich} AND JMSExpiration = 1700000001500")), Verdict::True);
    // A broker knows more of a message than the message does.
    let again = Candidate { message: &told, redeliveries: 2, expires_at: Some(Timestamp::from_millis(7)) };
    let known = format!("{rich} AND JMSExpiration = 7 AND JMSRedelivered AND JMSXDeliveryCount = 3");
    assert_eq!(selector(&known).evaluate(&again), Verdict::True);
    // Properties stand in for what messages have no field for, and for nothing else.
    for name in ["JMSType", "JMSMessageID", "JMSXGroupID", "JMSXGroupSeq", "JMSXUserID"] {
        told.body.headers.properties.set(name, "property").expect("room");
        let expected = if name.starts_with("JMSX") { Verdict::True } else { Verdict::False };
        assert_eq!(verdict(&told, &format!("{name} = 'property'")), expected, "{name}");
    }
    assert!(Header::ALL.iter().all(|header| Header::named(header.name()) == Some(*header)));
    assert_eq!((Header::named("JMSXUserID"), Header::named("jmstype")), (None, None));
}

#[test]
fn a_time_beyond_exact_numbers_is_the_last_of_them() {
    let late = Message { timestamp: Timestamp::from_millis(u64::MAX), ..message() };
    assert!(selector("JMSTimestamp = 9223372036854775807").matches(&late));
}

// --- Laws ------------------------------------------------------------------------------------------------------------

/// A condition, as a tree that was never text.
#[derive(Clone, Debug)]
enum Is {
    And(Box<[Is; 2]>),
    Between(bool, Box<[Of; 3]>),
    Compare(&'static str, Box<[Of; 2]>),
    In(bool, Of, Vec<String>),
    Like(bool, Of, String, Option<char>),
    Not(Box<Is>),
    Null(bool, Of),
    Or(Box<[Is; 2]>),
    True(Of),
}

/// A value in such a tree.
#[derive(Clone, Debug)]
enum Of {
    Is(Box<Is>),
    Literal(Value),
    Name(&'static str),
    Reckon(char, Box<[Of; 2]>),
    Signed(char, Box<Of>),
}

const NAMES: [&str; 4] = ["a", "b", "c", "JMSXGroupID"];

impl Is {
    /// Writes it, in parentheses if it binds looser than `level`: OR 0, AND 1, NOT 2, the rest 3.
    fn write(&self, level: usize) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let (own, text) = match self {
            Self::Or(both) => (0, format!("{} OR {}", both[0].write(0), both[1].write(1))),
            Self::And(both) => (1, format!("{} AND {}", both[0].write(1), both[1].write(2))),
            Self::Not(negated) => (2, format!("NOT {}", negated.write(2))),
            Self::Between(negated, of) => {
                let [of, low, high] = of.each_ref().map(|of| of.write(0));
                (3, format!("{of} {}BETWEEN {low} AND {high}", not(negated)))
            }
            Self::Compare(operator, both) => (3, format!("{} {operator} {}", both[0].write(0), both[1].write(0))),
            Self::In(negated, of, texts) => {
                let texts: Vec<_> = texts.iter().map(|text| quote(text)).collect();
                (3, format!("{} {}IN({})", of.write(0), not(negated), texts.join(",")))
            }
            Self::Like(negated, of, pattern, escape) => {
                let escape = escape.map_or(String::new(), |escape| format!(" ESCAPE {}", quote(&escape.to_string())));
                (3, format!("{} {}LIKE {}{escape}", of.write(0), not(negated), quote(pattern)))
            }
            Self::Null(negated, of) => (3, format!("{} IS {}NULL", of.write(0), not(negated))),
            Self::True(of) => (3, of.write(0)),
        };
        if own < level { format!("({text})") } else { text }
    }

    /// What it comes to by definition: -1 is false, 0 unknown, 1 true.
    fn truth(&self, told: &Message) -> i8 {
        let compare = |operator: &str, left: &Of, right: &Of| compare(operator, left.value(told), right.value(told));
        let negate = |negated: &bool, truth: i8| if *negated { -truth } else { truth };
        match self {
            Self::And(both) => both[0].truth(told).min(both[1].truth(told)),
            Self::Between(false, of) => compare(">=", &of[0], &of[1]).min(compare("<=", &of[0], &of[2])),
            Self::Between(true, of) => compare("<", &of[0], &of[1]).max(compare(">", &of[0], &of[2])),
            Self::Compare(operator, both) => compare(operator, &both[0], &both[1]),
            Self::In(negated, of, texts) => {
                let equals = texts.iter().map(|text| compare("=", of, &Of::Literal(Value::Text(text.clone()))));
                negate(negated, equals.max().expect("a text"))
            }
            Self::Like(negated, of, pattern, escape) => negate(
                negated,
                match of.value(told) {
                    None => 0,
                    Some(Value::Text(text)) => truth(is_like(&chars(pattern), *escape, &chars(&text))),
                    Some(_) => -1,
                },
            ),
            Self::Not(negated) => -negated.truth(told),
            Self::Null(negated, of) => negate(negated, truth(of.value(told).is_none())),
            Self::Or(both) => both[0].truth(told).max(both[1].truth(told)),
            Self::True(of) => of.value(told).map_or(0, |value| truth(value == Value::Bool(true))),
        }
    }
}

impl Of {
    /// Writes it, in parentheses if it binds looser than `level`: sums 0, products 1, signs 2.
    fn write(&self, level: usize) -> String {
        let (own, text) = match self {
            Self::Is(is) => return format!("({})", is.write(0)),
            Self::Literal(Value::Text(text)) => return quote(text),
            Self::Literal(Value::Float(number)) => (2, format!("{number:?}")),
            Self::Literal(value) => (2, value.to_string()),
            Self::Name(name) => return (*name).into(),
            Self::Reckon(operator, both) => {
                let own = usize::from(!matches!(operator, '+' | '-'));
                (own, format!("{} {operator} {}", both[0].write(own), both[1].write(own + 1)))
            }
            Self::Signed(sign, of) => (2, format!("{sign} {}", of.write(2))),
        };
        if own < level { format!("({text})") } else { text }
    }

    fn value(&self, told: &Message) -> Option<Value> {
        match self {
            Self::Is(is) => {
                [Some(false), None, Some(true)][usize::try_from(is.truth(told) + 1).expect("-1 to 1")].map(Value::Bool)
            }
            Self::Literal(value) => Some(value.clone()),
            Self::Name(name) => told.body.headers.properties.get(name).cloned(),
            Self::Reckon(operator, both) => match (both[0].value(told)?, both[1].value(told)?) {
                (Value::Int(left), Value::Int(right)) => {
                    let (left, right) = (i128::from(left), i128::from(right));
                    let wide = match operator {
                        '+' => left + right,
                        '-' => left - right,
                        '*' => left * right,
                        _ if right == 0 => return None,
                        '/' => left / right,
                        // As if it was the rest of a division, which has to have a result.
                        _ => i64::try_from(left / right).ok().map(|quotient| left - i128::from(quotient) * right)?,
                    };
                    wide.try_into().ok().map(Value::Int)
                }
                (left, right) => {
                    let (left, right) = (float(&left)?, float(&right)?);
                    Some(Value::Float(match operator {
                        '+' => left + right,
                        '-' => left - right,
                        '*' => left * right,
                        '/' => left / right,
                        _ => left % right,
                    }))
                }
            },
            Self::Signed(sign, of) => match of.value(told)? {
                Value::Int(number) if *sign == '-' => number.checked_neg().map(Value::Int),
                Value::Float(number) if *sign == '-' => Some(Value::Float(-number)),
                number @ (Value::Int(_) | Value::Float(_)) => Some(number),
                Value::Bool(_) | Value::Text(_) => None,
            },
        }
    }
}

fn truth(holds: bool) -> i8 {
    if holds { 1 } else { -1 }
}

fn compare(operator: &str, left: Option<Value>, right: Option<Value>) -> i8 {
    let Some((left, right)) = left.zip(right) else { return 0 };
    let order = match (&left, &right) {
        (Value::Int(left), Value::Int(right)) => left.partial_cmp(right),
        (Value::Float(_) | Value::Int(_), Value::Float(_) | Value::Int(_)) => float(&left).partial_cmp(&float(&right)),
        (Value::Bool(_), Value::Bool(_)) | (Value::Text(_), Value::Text(_)) => {
            return truth(match operator {
                "=" => left == right,
                "<>" => left != right,
                _ => false,
            });
        }
        _ => return -1,
    };
    truth(match operator {
        "=" => order.is_some_and(Ordering::is_eq),
        "<>" => !order.is_some_and(Ordering::is_eq),
        "<" => order.is_some_and(Ordering::is_lt),
        "<=" => order.is_some_and(Ordering::is_le),
        ">" => order.is_some_and(Ordering::is_gt),
        _ => order.is_some_and(Ordering::is_ge),
    })
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "as Java does it")]
        Value::Int(number) => Some(*number as f64),
        Value::Bool(_) | Value::Text(_) => None,
    }
}

/// Tries every length for every run.
fn is_like(pattern: &[char], escape: Option<char>, text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [first, second, rest @ ..] if Some(*first) == escape && (second == first || matches!(second, '_' | '%')) => {
            text.first() == Some(second) && is_like(rest, escape, &text[1..])
        }
        ['%', rest @ ..] => (0..=text.len()).any(|taken| is_like(rest, escape, &text[taken..])),
        ['_', rest @ ..] => !text.is_empty() && is_like(rest, escape, &text[1..]),
        [first, rest @ ..] => text.first() == Some(first) && is_like(rest, escape, &text[1..]),
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3..4_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => any::<i64>()]
}

fn number_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => (-6..7_i32).prop_map(|half| f64::from(half) / 2.0), 1 => proptest::num::f64::NORMAL]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        number_value().prop_map(Value::Float),
        int().prop_map(Value::Int),
        "[ab'_%]{0,3}".prop_map(Value::Text),
    ]
}

fn name() -> impl Strategy<Value = Of> {
    proptest::sample::select(&NAMES[..]).prop_map(Of::Name)
}

fn number() -> impl Strategy<Value = Of> {
    let literal = prop_oneof![number_value().prop_map(Value::Float), int().prop_map(Value::Int)];
    prop_oneof![name(), literal.prop_map(Of::Literal)].prop_recursive(3, 12, 2, |inner| {
        let both = [inner.clone(), inner.clone()].prop_map(Box::new);
        let operator = proptest::sample::select(&['+', '-', '*', '/', '%'][..]);
        prop_oneof![
            3 => (operator, both).prop_map(|(operator, both)| Of::Reckon(operator, both)),
            1 => (proptest::sample::select(&['+', '-'][..]), inner).prop_map(|(sign, of)| Of::Signed(sign, of.into())),
        ]
    })
}

fn pattern() -> impl Strategy<Value = (String, Option<char>)> {
    ("[ab_%!]{0,6}", option::of(proptest::sample::select(&['!', '%', '_', 'a'][..])))
}

fn condition() -> impl Strategy<Value = Is> {
    let any_of = prop_oneof![name(), any_value().prop_map(Of::Literal), number()];
    let leaf = prop_oneof![
        prop_oneof![name(), any::<bool>().prop_map(|literal| Of::Literal(literal.into()))].prop_map(Is::True),
        (any::<bool>(), [number(), number(), number()]).prop_map(|(negated, of)| Is::Between(negated, of.into())),
        (any::<bool>(), name(), several("[ab'_%]{0,2}", 1..4))
            .prop_map(|(negated, of, texts)| Is::In(negated, of, texts)),
        (any::<bool>(), name(), pattern())
            .prop_map(|(negated, of, (pattern, escape))| Is::Like(negated, of, pattern, escape)),
        (any::<bool>(), any_of.clone()).prop_map(|(negated, of)| Is::Null(negated, of)),
        (proptest::sample::select(&["=", "<>"][..]), [any_of.clone(), any_of.clone()])
            .prop_map(|(operator, both)| Is::Compare(operator, both.into())),
        (proptest::sample::select(&["=", "<>", "<", "<=", ">", ">="][..]), [number(), number()])
            .prop_map(|(operator, both)| Is::Compare(operator, both.into())),
    ];
    leaf.prop_recursive(4, 16, 2, move |inner| {
        let both = [inner.clone(), inner.clone()].prop_map(Box::new);
        // A name in parentheses is a name again, not whether that is true.
        let whether = inner.clone().prop_filter("a condition", |is| !matches!(is, Is::True(_)));
        prop_oneof![
            both.clone().prop_map(Is::And),
            both.prop_map(Is::Or),
            inner.prop_map(|is| Is::Not(is.into())),
            (proptest::sample::select(&["=", "<>"][..]), whether, any_of.clone())
                .prop_map(|(operator, is, of)| Is::Compare(operator, [Of::Is(is.into()), of].into())),
        ]
    })
}

fn told() -> impl Strategy<Value = Message> {
    NAMES.map(|_| option::weighted(0.8, any_value())).prop_map(|values| {
        let mut told = message();
        for (name, value) in NAMES.iter().zip(values) {
            if let Some(value) = value {
                told.body.headers.properties.set(name, value).expect("room");
            }
        }
        told
    })
}

fn verdict(truth: i8) -> Verdict {
    [Verdict::False, Verdict::Unknown, Verdict::True][usize::try_from(truth + 1).expect("-1 to 1")]
}

proptest! {
    #[test]
    fn a_selector_says_what_its_definition_says(is in condition(), told in several(told(), 4)) {
        let text = is.write(0);
        let made = Selector::parse(&text);
        prop_assert!(made.is_ok(), "{:?}", made);
        for told in told {
            prop_assert_eq!(made.clone().expect("made").evaluate(&told), verdict(is.truth(&told)), "{}", text);
        }
    }

    #[test]
    fn not_and_and_or_are_as_de_morgan_says(both in [condition(), condition()], told in told()) {
        let [a, b] = both.each_ref().map(|is| is.write(2));
        for [left, right] in [
            [format!("NOT ({a} AND {b})"), format!("NOT {a} OR NOT {b}")],
            [format!("NOT ({a} OR {b})"), format!("NOT {a} AND NOT {b}")],
            [format!("NOT NOT {a}"), a],
        ] {
            prop_assert_eq!(selector(&left).evaluate(&told), selector(&right).evaluate(&told), "{} and {}", left, right);
        }
    }

    #[test]
    fn a_pattern_matches_what_trying_everything_matches((pattern, escape) in pattern(), text in "[ab_%!]{0,8}") {
        let found = Pattern::new(&pattern, escape).matches(&text, || Ok::<(), ()>(()));
        prop_assert_eq!(found, Ok(is_like(&chars(&pattern), escape, &chars(&text))));
    }

    #[test]
    fn any_text_is_a_selector_or_an_error_that_points_into_it(text in ANY_TEXT, told in told()) {
        match Selector::parse(&text) {
            Ok(made) => {
                prop_assert_eq!(made.to_string(), &*text);
                let verdict = made.evaluate(&told);
                prop_assert_eq!(made.matches(&told), verdict == Verdict::True);
            }
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{}", error),
        }
    }

    /// Words of the language in any order come further than characters.
    #[test]
    fn any_words_are_a_selector_or_an_error_that_points_into_them(words in several(proptest::sample::select(&WORDS[..]), 0..12), told in told()) {
        let text = words.join(" ");
        match Selector::parse(&text) {
            Ok(made) => prop_assert_ne!(made.evaluate(&told), Verdict::TooCostly),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{}", error),
        }
    }
}

const ANY_TEXT: &str = "([a0-9.'%()=<>*/+ -]|\\PC){0,40}";

const WORDS: [&str; 30] = [
    "a", "b", "JMSType", "1", "2.5", "0x7f", "'x'", "'%'", "(", ")", ",", "=", "<>", "<", ">=", "+", "-", "*", "/",
    "%", "NOT", "and", "OR", "BETWEEN", "IN", "LIKE", "ESCAPE", "IS", "NULL", "true",
];
