//! Encryption of backups to keys that are kept elsewhere (age, X25519). The portal encrypts with the recipients, which
//! are no secret; it can decrypt only where it was given an identity that belongs to one of them.

use std::str::FromStr;

use age::x25519::{Identity, Recipient};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// How a manifest names it.
pub const AGE: &str = "age";
/// What an identity begins with.
const BEGINNING: &str = "AGE-SECRET-KEY-1";

/// To whom something is encrypted.
#[derive(Clone)]
pub struct Recipients {
    recipients: Vec<Recipient>,
    /// A key for this once, which is nowhere but in memory: what was stored is read back and opened with it, and then it
    /// is forgotten. Absent where the portal has an identity of a recipient, which proves more.
    once: Option<Identity>,
}

impl Recipients {
    /// To these recipients, `None` where there is none; read back with `keys`, if they open it.
    pub fn to(recipients: &[String], keys: &Identities) -> Option<Self> {
        let opens = keys.open(recipients);
        let recipients: Vec<Recipient> = recipients.iter().filter_map(|r| Recipient::from_str(r).ok()).collect();
        (!recipients.is_empty()).then(|| Self { recipients, once: (!opens).then(Identity::generate) })
    }

    /// What [`age::Encryptor`] needs to begin.
    pub(crate) fn encryptor(&self) -> std::io::Result<age::Encryptor> {
        let once = self.once.as_ref().map(Identity::to_public);
        let all = self.recipients.iter().chain(&once).map(|r| r as &dyn age::Recipient);
        age::Encryptor::with_recipients(all).map_err(std::io::Error::other)
    }

    /// The key for this once, if there is one.
    pub fn once(&self) -> Option<Identities> {
        Some(Identities(vec![self.once.clone()?]))
    }

    /// Encrypts a short secret for the recipients, as text.
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

/// Identities that open what was encrypted to theirs.
#[derive(Clone, Default)]
pub struct Identities(Vec<Identity>);

impl Identities {
    /// The identities among these texts.
    pub fn from_texts(identities: &[SecretString]) -> Self {
        Self(identities.iter().filter_map(|i| Identity::from_str(i.expose_secret()).ok()).collect())
    }

    /// These and another one, if it is one.
    #[must_use]
    pub fn and(mut self, key: Option<&SecretString>) -> Self {
        self.0.extend(key.and_then(|k| Identity::from_str(k.expose_secret().trim()).ok()));
        self
    }

    /// Whether they open what is encrypted to `recipients`.
    pub fn open(&self, recipients: &[String]) -> bool {
        self.0.iter().any(|i| recipients.contains(&i.to_public().to_string()))
    }

    /// The identities.
    pub(crate) fn all(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|i| i as &dyn age::Identity)
    }

    /// Opens what [`Recipients::text`] made.
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

/// Why a text is no recipient.
pub fn check_recipient(text: &str) -> Result<(), String> {
    if text.starts_with(BEGINNING) {
        // Not repeated: it may end up in a log.
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

/// The identities in the text of a key file, as `age-keygen` writes them, with remarks or without.
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
    fn recipients_and_keys_are_told_apart_and_no_key_is_repeated() {
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
    fn a_short_secret_opens_with_the_program_that_people_have() {
        let key = Identity::generate();
        let sealing = Recipients { recipients: vec![key.to_public()], once: None };
        let sealed = sealing.text(&SecretString::from("hush 🐘")).unwrap();
        let file = std::env::temp_dir().join(format!("db4sci-seal-{}.key", std::process::id()));
        std::fs::write(&file, key.to_string().expose_secret()).unwrap();
        // As RESTORE.txt says it.
        let script = "echo \"$0\" | base64 -d | age --decrypt --identity \"$1\"";
        let said = std::process::Command::new("bash").args(["-c", script, &sealed]).arg(&file).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "hush 🐘", "{}", String::from_utf8_lossy(&said.stderr));
    }

    #[test]
    fn a_short_secret_opens_only_with_its_key() {
        let (key, other) = (Identity::generate(), Identity::generate());
        let sealing = Recipients { recipients: vec![key.to_public()], once: Some(other.clone()) };
        let sealed = sealing.text(&SecretString::from("hush 🐘")).unwrap();
        assert_eq!(Identities(vec![key]).text(&sealed).unwrap().expose_secret(), "hush 🐘");
        // Not with the key for once either: it is for the dumps.
        assert!(Identities(vec![other]).text(&sealed).is_err());
    }
}
