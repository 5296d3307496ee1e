//! Durations as people write them.

use std::time::Duration;

/// Reads `500ms`, `5s`, `1.5s`, `2m` or `1h`; a bare number counts seconds, as `sleep` has it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{text}' is no duration; expected a number and ms, s, m or h: 500ms, 5s, 2m");
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    let duration = Duration::try_from_secs_f64(number * factor).map_err(|_| bad())?;
    if duration > LONGEST {
        return Err(format!("'{text}' is too long; expected {}h at most", LONGEST.as_secs() / 3600));
    }
    Ok(duration)
}

/// A year: long enough for everyone, and short enough to be added to any clock.
const LONGEST: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let read = ["500ms", "5s", "1.5s", "2m", "1h", "7", "0s"].map(|text| parse(text).map(|read| read.as_millis()));
        assert_eq!(read, [500, 5000, 1500, 120_000, 3_600_000, 7000, 0].map(Ok));
    }

    #[test]
    fn what_is_no_duration_is_quoted() {
        for text in ["", "ms", "5x", "-1s", "1..2s", "5 s", "1e3s", "inf", "NaN"] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(&format!("'{text}' is no duration")), "{error}");
        }
    }

    #[test]
    fn a_year_is_the_limit() {
        assert!(parse("8760h").is_ok());
        assert!(parse("8761h").expect_err("too long").contains("'8761h'"));
        assert!(parse(&format!("{}s", "9".repeat(400))).is_err());
    }
}
