//! Reads a form with an uploaded dump as it arrives: text fields, and a file that is written to a storage tier in
//! chunks.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;

use crate::admin_db::{dumps, new_id};
use crate::domain::engine::EngineKind;
use crate::import::files::recognise::engine_of_name;
use crate::import::format::fit;
use crate::import::request::ReceivedDump;
use crate::import::staging::Staging;
use crate::manifest::dump::Dump;
use crate::provision::request::CreateRequest;
use crate::web::access::BODY_LIMIT;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::{CreateFault, Faults, parse};

/// Name of the file field.
pub const FILE: &str = "dump";
/// Name of the field that selects a database of the dump.
pub const SOURCE: &str = "source";
/// Name of the field that refers to a file uploaded earlier.
pub const UPLOAD: &str = "upload";
/// Maximum number of fields of a form.
const FIELDS: usize = 64;
/// Bytes of a rejected file that are still read, so that the client gets to read the response.
const DRAINED: u64 = 256 * 1024 * 1024;

/// An uploaded file with its client-side name, or why it cannot be used.
pub type SentFile = Result<(Staging, Dump, String), String>;

/// The content of a submitted form.
pub struct SentForm {
    /// The text fields.
    pub fields: Fields,
    /// The file.
    pub file: Option<SentFile>,
}

fn broken(ctx: &Context, e: &MultipartError) -> AppError {
    match e.status() {
        _ if ctx.meta.ahead.is_exceeded() => AppError::TooLarge,
        StatusCode::PAYLOAD_TOO_LARGE => AppError::TooLarge,
        _ => AppError::BadRequest("The form ended before it was complete.".to_owned()),
    }
}

/// Reads a form to its end. If the connection breaks, no file is left behind.
pub async fn read(ctx: &Context, mut form: Multipart) -> Result<SentForm, AppError> {
    let _held = ctx.portal.uploads.hold(ctx, "uploads")?;
    let (mut pairs, mut file, mut length, mut count) = (Vec::<(String, String)>::new(), None, 0, 0);
    while let Some(mut field) = form.next_field().await.map_err(|e| broken(ctx, &e))? {
        ctx.meta.ahead.progressed();
        let name = field.name().unwrap_or_default().to_owned();
        (count, length) = (count + 1, length + name.len());
        if count > FIELDS || length > BODY_LIMIT {
            return Err(AppError::TooLarge);
        }
        if name == FILE {
            let before = |name: &str| pairs.iter().rev().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
            let (tier, engine) = (before("storage").to_owned(), EngineKind::parse(before("engine")));
            // Browsers send a file field even if no file was selected.
            let chosen = field.file_name().is_none_or(|name| !name.is_empty());
            ctx.meta.ahead.file_begins();
            let sent = keep(ctx, &mut field, &tier, engine).await?;
            ctx.meta.ahead.file_ends();
            file = chosen.then_some(sent);
            continue;
        }
        let mut text = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|e| broken(ctx, &e))? {
            ctx.meta.ahead.progressed();
            length += piece.len();
            if length > BODY_LIMIT {
                return Err(AppError::TooLarge);
            }
            text.extend_from_slice(&piece);
        }
        let text = String::from_utf8(text);
        pairs.push((name, text.map_err(|_| AppError::BadRequest("A field is not UTF-8 text.".to_owned()))?));
    }
    Ok(SentForm { fields: pairs.into_iter().collect(), file })
}

async fn keep(
    ctx: &Context,
    field: &mut Field<'_>,
    tier: &str,
    engine: Option<EngineKind>,
) -> Result<SentFile, AppError> {
    let account = ctx.user()?.id;
    let name: String = field.file_name().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    let engine = engine.or_else(|| engine_of_name(&name));
    let mut staging = Staging::begin(&ctx.app().config, tier, (new_id(), account), engine).await;
    let mut drained = 0;
    while let Some(piece) = field.chunk().await.map_err(|e| broken(ctx, &e))? {
        ctx.meta.ahead.consumed(piece.len());
        match &mut staging {
            Ok(file) => {
                if let Err(why) = file.write(&piece).await {
                    staging = Err(why);
                }
            }
            Err(_) => {
                drained += piece.len() as u64;
                if drained > DRAINED {
                    break;
                }
            }
        }
    }
    let mut staging = match staging {
        Ok(staging) => staging,
        Err(why) => return Ok(Err(why)),
    };
    Ok(staging.finish().await.map(|dump| (staging, dump, name)))
}

/// The uploaded file, or the one uploaded earlier.
async fn known(
    ctx: &Context,
    fields: &Fields,
    file: Option<SentFile>,
) -> Result<Result<ReceivedDump, String>, AppError> {
    if let Some(sent) = file {
        return Ok(sent.map(|(staging, dump, name)| ReceivedDump::new(staging, dump, name)));
    }
    let upload = fields.text(UPLOAD);
    if upload.is_empty() {
        return Ok(Err("Choose a dump file.".to_owned()));
    }
    let account = ctx.user()?.id;
    let mut db = ctx.app().db.acquire().await?;
    let row = match upload.parse() {
        Ok(id) => dumps::asked_about(&mut db, id, account).await?,
        Err(_) => None,
    };
    let gone = || "The file you uploaded earlier is no longer kept. Choose it again.".to_owned();
    Ok(row.map(|row| ReceivedDump::kept(&row, account)).ok_or_else(gone))
}

/// The errors in a form, and the reference to its file if that was received.
pub struct RefusedForm {
    /// Errors by field.
    pub faults: Faults,
    /// The dump, kept for the next attempt.
    pub kept: Option<Box<KeptDump>>,
}

/// A dump that is kept while its sender corrects the form.
pub struct KeptDump {
    /// The reference to it.
    pub upload: String,
    /// The recognised dump.
    pub dump: Dump,
    /// Its file name on the client.
    pub name: String,
}

/// Why a form was rejected.
pub enum DumpFault {
    /// Invalid values.
    Refused(RefusedForm),
    /// Any other error.
    App(AppError),
}

impl From<AppError> for DumpFault {
    fn from(e: AppError) -> Self {
        Self::App(e)
    }
}

/// Validates a form: returns all errors at once, that of the file in the field [`FILE`], a question about its databases
/// in [`SOURCE`]. A usable file is kept for the next attempt: always if a page sent it, otherwise only if its sender
/// has to select a database.
///
/// # Errors
/// [`DumpFault::Refused`] with all errors.
pub async fn check<'a>(
    ctx: &'a Context,
    fields: &Fields,
    file: Option<SentFile>,
    is_page: bool,
) -> Result<(CreateRequest<'a>, ReceivedDump), DumpFault> {
    let received = known(ctx, fields, file).await?;
    let mut faults = Faults::new();
    let request = match parse(ctx, fields).await {
        Ok(request) => Some(request),
        Err(CreateFault::Fields(found)) => {
            faults = found;
            None
        }
        Err(CreateFault::App(e)) => return Err(e.into()),
    };
    let mut received = match received {
        Ok(received) => Some(received),
        Err(why) => {
            faults.push((FILE.to_owned(), why));
            None
        }
    };
    if let (Some(request), Some(dump)) = (&request, &mut received) {
        if let Err(why) = fit(&dump.dump, request.image) {
            faults.push((FILE.to_owned(), why));
            received = None;
        } else if let Err(question) = dump.choose(fields.text(SOURCE), request.dbname.as_str()) {
            faults.push((SOURCE.to_owned(), question));
        }
    }
    match (request, received) {
        (Some(request), Some(received)) if faults.is_empty() => Ok((request, received)),
        (_, None) => Err(DumpFault::Refused(RefusedForm { faults, kept: None })),
        (_, Some(_)) if !is_page && faults.iter().all(|(field, _)| field != SOURCE) => {
            Err(DumpFault::Refused(RefusedForm { faults, kept: None }))
        }
        (_, Some(received)) => {
            let (dump, name) = (Dump::clone(&received.dump), received.name.clone());
            let upload = received.ask(ctx.app()).await.map_err(|e| DumpFault::App(e.into()))?.to_string();
            Err(DumpFault::Refused(RefusedForm { faults, kept: Some(Box::new(KeptDump { upload, dump, name })) }))
        }
    }
}

/// The errors for API clients: a question is replaced by what to send next.
pub fn for_programs(refused: RefusedForm) -> Faults {
    let RefusedForm { mut faults, kept } = refused;
    if let Some(kept) = kept {
        for (_, text) in faults.iter_mut().filter(|(field, _)| field == SOURCE) {
            *text = format!(
                "{text} Send the form again with {SOURCE} set to your choice and {UPLOAD}={} instead of the file, \
                 which is kept for one hour.",
                kept.upload
            );
        }
    }
    faults
}
