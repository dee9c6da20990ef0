//! Days for people.

/// The day of a moment as `2026-11-24`; the moment is in seconds since 1970-01-01 UTC.
#[must_use]
pub fn date(seconds: i64) -> String {
    match x509_parser::time::ASN1Time::from_timestamp(seconds) {
        Ok(time) => {
            let time = time.to_datetime();
            format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())
        }
        Err(_) => "an impossible day".into(),
    }
}
