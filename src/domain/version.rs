//! Server versions as numbers.

/// The numbers of a version such as "10.11", so that "9" is older than "10".
pub fn parts(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// The first two numbers of a version.
pub(crate) fn numbers(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text.get(start..)?.split(|c: char| !c.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|p| p.parse().ok()).unwrap_or(0)))
}
