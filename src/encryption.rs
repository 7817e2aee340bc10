//! Encrypts backups for recipients whose keys are kept elsewhere (age, X25519). The recipients are public; the portal
//! can decrypt only if it has an identity that belongs to one of them.

use std::str::FromStr;

use age::x25519::{Identity, Recipient};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// Name of the method in manifests.
pub const AGE: &str = "age";
/// Prefix of an identity.
const BEGINNING: &str = "AGE-SECRET-KEY-1";

/// The recipients that something is encrypted for.
#[derive(Clone)]
pub struct Recipients {
    recipients: Vec<Recipient>,
    /// An ephemeral key that exists only in memory: stored data is read back and decrypted with it, and then it is
    /// discarded. Absent if the portal has an identity of a recipient, because reading back with that proves more.
    once: Option<Identity>,
}

impl Recipients {
    /// Encrypts for these recipients; `None` if there are none. Data is read back with `keys` if they can decrypt it.
    pub fn to(recipients: &[String], keys: &Identities) -> Option<Self> {
        let opens = keys.open(recipients);
        let recipients: Vec<Recipient> = recipients.iter().filter_map(|r| Recipient::from_str(r).ok()).collect();
        (!recipients.is_empty()).then(|| Self { recipients, once: (!opens).then(Identity::generate) })
    }

    /// An [`age::Encryptor`] for all recipients, including the ephemeral key.
    pub(crate) fn encryptor(&self) -> std::io::Result<age::Encryptor> {
        let once = self.once.as_ref().map(Identity::to_public);
        let all = self.recipients.iter().chain(&once).map(|r| r as &dyn age::Recipient);
        age::Encryptor::with_recipients(all).map_err(std::io::Error::other)
    }

    /// The ephemeral key, if there is one.
    pub fn once(&self) -> Option<Identities> {
        Some(Identities(vec![self.once.clone()?]))
    }

    /// Encrypts a short secret for the recipients and returns it as base64 text.
    pub fn text(&self, secret: &SecretString) -> Result<String, String> {
        let failed = |e: std::io::Error| format!("Cannot encrypt a secret of the backup: {e}.");
        let all = self.recipients.iter().map(|r| r as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(all).map_err(|e| failed(std::io::Error::other(e)))?;
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed).map_err(failed)?;
        std::io::Write::write_all(&mut writer, secret.expose_secret().as_bytes()).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(BASE64_STANDARD.encode(sealed))
    }

    /// The recipients, as text.
    pub fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }
}

/// Identities that decrypt what was encrypted for them.
#[derive(Clone, Default)]
pub struct Identities(Vec<Identity>);

impl Identities {
    /// Parses these texts and keeps those that are identities.
    pub fn from_texts(identities: &[SecretString]) -> Self {
        Self(identities.iter().filter_map(|i| Identity::from_str(i.expose_secret()).ok()).collect())
    }

    /// Adds another key if it is an identity.
    #[must_use]
    pub fn and(mut self, key: Option<&SecretString>) -> Self {
        self.0.extend(key.and_then(|k| Identity::from_str(k.expose_secret().trim()).ok()));
        self
    }

    /// Whether these identities can decrypt data encrypted for `recipients`.
    pub fn open(&self, recipients: &[String]) -> bool {
        self.0.iter().any(|i| recipients.contains(&i.to_public().to_string()))
    }

    /// The identities.
    pub(crate) fn all(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|i| i as &dyn age::Identity)
    }

    /// Decrypts the result of [`Recipients::text`].
    pub fn text(&self, sealed: &str) -> Result<SecretString, String> {
        let failed = |why: String| format!("Cannot decrypt a secret in the manifest of this backup: {why}.");
        let sealed = BASE64_STANDARD.decode(sealed).map_err(|e| failed(e.to_string()))?;
        let decryptor = age::Decryptor::new(sealed.as_slice()).map_err(|e| failed(e.to_string()))?;
        let mut reader = decryptor.decrypt(self.all()).map_err(|e| failed(e.to_string()))?;
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut reader, &mut plain).map_err(|e| failed(e.to_string()))?;
        Ok(SecretString::from(plain))
    }
}

/// Checks that a text is a recipient and otherwise says why not.
pub fn check_recipient(text: &str) -> Result<(), String> {
    if text.starts_with(BEGINNING) {
        // Do not repeat the text: the message may end up in a log.
        return Err(
            "is a secret key; enter its recipient, which starts with age1, and keep the key elsewhere".to_owned()
        );
    }
    match Recipient::from_str(text) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!(
            "“{text}” is not an age recipient ({e}); recipients start with age1 and come from \
                               age-keygen"
        )),
    }
}

/// The identities in a key file as written by `age-keygen`, with or without comments.
pub fn identities(text: &str) -> Result<Vec<SecretString>, String> {
    let lines = text.lines().map(str::trim).filter(|l| l.to_ascii_uppercase().starts_with(BEGINNING));
    let found: Vec<&str> = lines.collect();
    if found.is_empty() {
        return Err(format!("contains no key, that is, a line that starts with {BEGINNING}"));
    }
    if found.iter().any(|l| Identity::from_str(l).is_err()) {
        return Err("contains a line that starts like a key but is not one".to_owned());
    }
    Ok(found.into_iter().map(SecretString::from).collect())
}

/// The recipient that belongs to an identity.
pub fn recipient_of(identity: &SecretString) -> Option<String> {
    Identity::from_str(identity.expose_secret()).ok().map(|i| i.to_public().to_string())
}

#[cfg(test)]
mod tests {
    use crate::encryption::*;

    #[test]
    fn recipients_and_keys_are_distinguished_and_keys_never_printed() {
        let key = Identity::generate();
        let secret = key.to_string();
        assert_eq!(check_recipient(&key.to_public().to_string()), Ok(()));
        let said = check_recipient(secret.expose_secret()).unwrap_err();
        assert!(said.contains("secret key") && !said.contains(secret.expose_secret()), "{said}");
        assert!(check_recipient("age1nonsense").unwrap_err().contains("not an age recipient"));
        let file = format!("# created: today\n# public key: x\n{}\n", secret.expose_secret());
        let read = identities(&file).unwrap();
        assert_eq!(recipient_of(&read[0]), Some(key.to_public().to_string()));
        assert!(identities("nothing\n").is_err() && identities("AGE-SECRET-KEY-1XYZ").is_err());
    }

    #[test]
    fn a_short_secret_is_decrypted_by_the_age_program() {
        let key = Identity::generate();
        let sealing = Recipients { recipients: vec![key.to_public()], once: None };
        let sealed = sealing.text(&SecretString::from("hush 🐘")).unwrap();
        let file = std::env::temp_dir().join(format!("db4sci-seal-{}.key", std::process::id()));
        std::fs::write(&file, key.to_string().expose_secret()).unwrap();
        // The same commands as in RESTORE.txt.
        let script = "echo \"$0\" | base64 -d | age --decrypt --identity \"$1\"";
        let said = std::process::Command::new("bash").args(["-c", script, &sealed]).arg(&file).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "hush 🐘", "{}", String::from_utf8_lossy(&said.stderr));
    }

    #[test]
    fn a_short_secret_is_decrypted_only_with_its_key() {
        let (key, other) = (Identity::generate(), Identity::generate());
        let sealing = Recipients { recipients: vec![key.to_public()], once: Some(other.clone()) };
        let sealed = sealing.text(&SecretString::from("hush 🐘")).unwrap();
        assert_eq!(Identities(vec![key]).text(&sealed).unwrap().expose_secret(), "hush 🐘");
        // The ephemeral key cannot decrypt it either: it is only for the dumps.
        assert!(Identities(vec![other]).text(&sealed).is_err());
    }
}
