//! A form with a dump in it, as it comes: fields of text, and a file that goes to a storage tier piece by piece.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;

use crate::admin_db::{dumps, new_id};
use crate::domain::engine::EngineKind;
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

/// Name of the file's field.
pub const FILE: &str = "dump";
/// Name of the field that says which database of a dump is wanted.
pub const SOURCE: &str = "source";
/// Name of the field that stands for a file which was sent before.
pub const UPLOAD: &str = "upload";
/// So much of a file that is refused is still read, so that its sender reads the answer.
const DRAINED: u64 = 256 * 1024 * 1024;

/// A file with what its sender calls it, or why it can't be used.
pub type SentFile = Result<(Staging, Dump, String), String>;

/// What was sent.
pub struct SentForm {
    /// The fields of text.
    pub fields: Fields,
    /// The file.
    pub file: Option<SentFile>,
}

fn broken(e: &MultipartError) -> AppError {
    match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => AppError::TooLarge,
        _ => AppError::BadRequest("The form ended before it was complete.".to_owned()),
    }
}

/// Reads a form to its end. A connection that breaks leaves no file.
pub async fn read(ctx: &Context, mut form: Multipart) -> Result<SentForm, AppError> {
    let (mut pairs, mut file, mut length) = (Vec::<(String, String)>::new(), None, 0);
    while let Some(mut field) = form.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == FILE {
            let before = |name: &str| pairs.iter().rev().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
            let (tier, engine) = (before("storage").to_owned(), EngineKind::parse(before("engine")));
            // A browser sends a field for a file that was not chosen.
            let chosen = field.file_name().is_none_or(|name| !name.is_empty());
            let sent = keep(ctx, &mut field, &tier, engine).await?;
            file = chosen.then_some(sent);
            continue;
        }
        let mut text = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|e| broken(&e))? {
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
    let mut staging = Staging::begin(&ctx.app().config, tier, (new_id(), account), engine).await;
    let mut drained = 0;
    while let Some(piece) = field.chunk().await.map_err(|e| broken(&e))? {
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

/// The file, or the one that was sent before.
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

/// What was wrong with a form, and what stands for its file if that was received.
pub struct RefusedForm {
    /// The faults, by field.
    pub faults: Faults,
    /// The dump, kept for the next try.
    pub kept: Option<Box<KeptDump>>,
}

/// A dump that is kept while its sender looks at the form again.
pub struct KeptDump {
    /// What stands for it.
    pub upload: String,
    /// What it is.
    pub dump: Dump,
    /// What its sender calls it.
    pub name: String,
}

/// Why a form was not taken.
pub enum DumpFault {
    /// Something in it can't be used.
    Refused(RefusedForm),
    /// Something else.
    App(AppError),
}

impl From<AppError> for DumpFault {
    fn from(e: AppError) -> Self {
        Self::App(e)
    }
}

/// What was sent, checked: all faults at once, that of the file in the field [`FILE`], a question about its databases in
/// [`SOURCE`]. A file that can be used is kept for the next try: of a page always, else where its sender has to choose.
///
/// # Errors
/// [`DumpFault::Refused`] with all faults.
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

/// The faults for a program: a question says what to send next.
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
