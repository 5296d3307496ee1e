//! How a text is cut into words, literals and symbols.

use alloc::string::String;
use core::ops::Range;

use super::error::SelectorError;
use super::expr::Comparison;

/// The smallest part of a selector that means something.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Close,
    Comma,
    Compare(Comparison),
    /// Behind everything else.
    End,
    Float(f64),
    /// A whole number without its sign, at most one more than an `i64` holds: so much may follow a minus.
    Int(u64),
    Keyword(Keyword),
    Minus,
    Name(&'a str),
    Open,
    Percent,
    Plus,
    Slash,
    Star,
    Text(String),
}

/// A word that is no name, in whatever case it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Between,
    Escape,
    False,
    In,
    Is,
    Like,
    Not,
    Null,
    Or,
    True,
}

/// A walk over a selector's tokens.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and the bytes it covers; at the end, always the end.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, Range<usize>), SelectorError> {
        self.skip_space()?;
        let (start, rest) = (self.at, self.rest());
        let mut chars = rest.chars();
        let token = match (chars.next(), chars.next()) {
            (None, _) => Token::End,
            (Some('\''), _) => return self.quoted(),
            (Some('0'..='9'), _) | (Some('.'), Some('0'..='9')) => return self.number(),
            (Some(first), _) if is_name_start(first) => self.word(),
            (Some('<'), Some('>')) => self.symbol(2, Token::Compare(Comparison::NotEqual)),
            (Some('<'), Some('=')) => self.symbol(2, Token::Compare(Comparison::LessOrEqual)),
            (Some('<'), _) => self.symbol(1, Token::Compare(Comparison::Less)),
            (Some('>'), Some('=')) => self.symbol(2, Token::Compare(Comparison::GreaterOrEqual)),
            (Some('>'), _) => self.symbol(1, Token::Compare(Comparison::Greater)),
            (Some('='), _) => self.symbol(1, Token::Compare(Comparison::Equal)),
            (Some('('), _) => self.symbol(1, Token::Open),
            (Some(')'), _) => self.symbol(1, Token::Close),
            (Some(','), _) => self.symbol(1, Token::Comma),
            (Some('+'), _) => self.symbol(1, Token::Plus),
            (Some('-'), _) => self.symbol(1, Token::Minus),
            (Some('*'), _) => self.symbol(1, Token::Star),
            (Some('/'), _) => self.symbol(1, Token::Slash),
            (Some('%'), _) => self.symbol(1, Token::Percent),
            (Some(other), _) => {
                let at = start..start + other.len_utf8();
                return Err(SelectorError::unexpected(
                    self.text,
                    &at,
                    "a name, a number, text in single quotes or an operator",
                ));
            }
        };
        Ok((token, start..self.at))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn symbol(&mut self, length: usize, token: Token<'a>) -> Token<'a> {
        self.at += length;
        token
    }

    /// Passes over white space and comments.
    fn skip_space(&mut self) -> Result<(), SelectorError> {
        loop {
            let rest = self.rest();
            self.at += if rest.starts_with(is_space) {
                1
            } else if rest.starts_with("--") {
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/");
                end.ok_or_else(|| SelectorError::unclosed(self.text, self.at, "comment", "*/"))? + 4
            } else {
                return Ok(());
            };
        }
    }

    /// Text in single quotes, in which two of them stand for one.
    fn quoted(&mut self) -> Result<(Token<'a>, Range<usize>), SelectorError> {
        let (start, mut text) = (self.at, String::new());
        loop {
            let (part, _) = self.text[self.at + 1..]
                .split_once('\'')
                .ok_or_else(|| SelectorError::unclosed(self.text, start, "text", "a single quote"))?;
            text.push_str(part);
            self.at += part.len() + 2;
            if !self.rest().starts_with('\'') {
                return Ok((Token::Text(text), start..self.at));
            }
            text.push('\'');
        }
    }

    /// A number, as Java writes them.
    fn number(&mut self) -> Result<(Token<'a>, Range<usize>), SelectorError> {
        let (start, rest) = (self.at, self.rest());
        let is_hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let mut before = '0';
        let end = rest.find(|found: char| {
            let is_sign = matches!(found, '+' | '-') && matches!(before, 'E' | 'e') && !is_hexadecimal;
            before = found;
            !is_sign && found != '.' && !is_name_part(found)
        });
        self.at = end.map_or(self.text.len(), |end| start + end);
        let at = start..self.at;
        let token = read_number(&rest[..at.len()]);
        token.map(|token| (token, at.clone())).map_err(|expected| SelectorError::bad_number(self.text, &at, expected))
    }

    /// A name or a keyword.
    fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        let word = &rest[..rest.find(|found| !is_name_part(found)).unwrap_or(rest.len())];
        self.at += word.len();
        let keyword = KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        keyword.map_or(Token::Name(word), |(_, keyword)| Token::Keyword(*keyword))
    }
}

/// Reads a number, or says what would be one.
fn read_number(written: &str) -> Result<Token<'static>, &'static str> {
    let lower = written.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if lower.contains(['.', 'e', 'f', 'd']) {
        return read_float(&lower);
    } else if let Some(digits) = lower.strip_prefix('0').filter(|digits| !matches!(*digits, "" | "l")) {
        (digits, 8)
    } else {
        (&*lower, 10)
    };
    let digits = digits.strip_suffix('l').unwrap_or(digits);
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(match radix {
            8 => "octal digits after a leading 0",
            16 => "hexadecimal digits after 0x",
            _ => NUMBER_EXPECTED,
        });
    }
    let most = i64::MAX.unsigned_abs() + u64::from(radix == 10);
    let number = u64::from_str_radix(digits, radix).ok().filter(|number| *number <= most);
    number.map(Token::Int).ok_or(INT_EXPECTED)
}

fn read_float(lower: &str) -> Result<Token<'static>, &'static str> {
    let number = if let Some(digits) = lower.strip_suffix('f') {
        digits.parse::<f32>().map(f64::from)
    } else {
        lower.strip_suffix('d').unwrap_or(lower).parse::<f64>()
    };
    match number {
        Ok(number) if number.is_finite() => Ok(Token::Float(number)),
        Ok(_) => Err("at most 1.7976931348623157E308, with an f at the end 3.4028235E38"),
        Err(_) => Err(NUMBER_EXPECTED),
    }
}

fn is_space(found: char) -> bool {
    matches!(found, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

fn is_name_start(found: char) -> bool {
    found.is_alphabetic() || matches!(found, '$' | '_')
}

fn is_name_part(found: char) -> bool {
    found.is_alphanumeric() || matches!(found, '$' | '_')
}

/// What every whole number keeps to.
pub(super) const INT_EXPECTED: &str = "-9223372036854775808 to 9223372036854775807";

const NUMBER_EXPECTED: &str = "one as Java writes it, such as 7, 7L, 0x7F, 7., .5, 7E3 or 7.5f";

const KEYWORDS: [(&str, Keyword); 11] = [
    ("AND", Keyword::And),
    ("BETWEEN", Keyword::Between),
    ("ESCAPE", Keyword::Escape),
    ("FALSE", Keyword::False),
    ("IN", Keyword::In),
    ("IS", Keyword::Is),
    ("LIKE", Keyword::Like),
    ("NOT", Keyword::Not),
    ("NULL", Keyword::Null),
    ("OR", Keyword::Or),
    ("TRUE", Keyword::True),
];
