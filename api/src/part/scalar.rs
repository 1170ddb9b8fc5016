//! Custom scalars: `Date`, a local date without a time, and `DateTime`, a moment.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, NaiveDate, Utc};

/// A local date, such as `2022-12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date(pub(crate) NaiveDate);

/// A local date in the ledger's time zone (`Asia/Shanghai` by default), as `YYYY-MM-DD`, such as `2022-12-31`.
#[Scalar(name = "Date", specified_by_url = "https://scalars.graphql.org/andimarek/local-date.html")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) if text.len() == 10 => {
                let day = text
                    .parse()
                    .map_err(|_| InputValueError::custom(format!("`{text}` is not a date: expected YYYY-MM-DD")))?;
                Ok(Self(day))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment, such as `2022-12-31T23:59:59+08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

/// A moment with its offset from UTC, as in RFC 3339, such as `2022-12-31T23:59:59+08:00`.
#[Scalar(name = "DateTime", specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339")]
impl ScalarType for Moment {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => {
                let at = DateTime::parse_from_rfc3339(text).map_err(|_| {
                    InputValueError::custom(format!(
                        "`{text}` is not a moment: expected a form such as 2022-12-31T23:59:59+08:00"
                    ))
                })?;
                Ok(Self(at.with_timezone(&Utc)))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339())
    }
}
