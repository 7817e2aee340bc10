//! A form with a dump in it, as it comes: fields of text, and a file that goes to a storage tier piece by piece.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;

use super::context::Context;
use super::create::{CreateFault, Faults, parse};
use super::error::AppError;
use super::form::Fields;
use super::routes::BODY_LIMIT;
use crate::admin_db::new_id;
use crate::intake::format::{fit, recognise};
use crate::intake::request::Received;
use crate::intake::staging::Staging;
use crate::provision::request::CreateRequest;

/// Name of the file's field.
pub const FILE: &str = "dump";
/// So much of a file that is refused is still read, so that its sender reads the answer.
const DRAINED: u64 = 256 * 1024 * 1024;

/// A file with what its sender calls it, or why it can't be used.
pub type SentFile = Result<(Staging, String), String>;

/// What was sent.
pub struct Sent {
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
///
/// # Errors
/// If it can't be read.
pub async fn read(ctx: &Context, mut form: Multipart) -> Result<Sent, AppError> {
    let (mut pairs, mut file, mut length) = (Vec::<(String, String)>::new(), None, 0);
    while let Some(mut field) = form.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == FILE {
            let tier = pairs.iter().find(|(n, _)| n == "storage").map(|(_, v)| v.clone());
            file = Some(keep(ctx, &mut field, &tier.unwrap_or_default()).await?);
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
    Ok(Sent { fields: pairs.into_iter().collect(), file })
}

async fn keep(ctx: &Context, field: &mut Field<'_>, tier: &str) -> Result<SentFile, AppError> {
    let name: String = field.file_name().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    let mut staging = Staging::begin(&ctx.app().config, tier, new_id()).await;
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
    Ok(staging.finish().await.map(|()| (staging, name)))
}

/// The file as what it is.
async fn known(file: Option<SentFile>) -> Result<Received, String> {
    let (staging, name) = file.unwrap_or_else(|| Err("Choose the file with the dump.".to_owned()))?;
    let path = staging.path().to_owned();
    let looked = tokio::task::spawn_blocking(move || recognise(&path)).await;
    let dump = looked.map_err(|e| format!("The file could not be looked at: {e}."))??;
    Ok(Received { staging, dump, source: None, name })
}

/// What was sent, checked: all faults at once, that of the file in the field [`FILE`].
///
/// # Errors
/// [`CreateFault::Fields`] with all faults.
pub async fn check<'a>(
    ctx: &'a Context,
    fields: &Fields,
    file: Option<SentFile>,
) -> Result<(CreateRequest<'a>, Received), CreateFault> {
    let received = known(file).await;
    let fault = |why: String| (FILE.to_owned(), why);
    let request = match parse(ctx, fields).await {
        Ok(request) => request,
        Err(CreateFault::Fields(mut found)) => {
            found.extend(received.err().map(fault));
            return Err(CreateFault::Fields(found));
        }
        Err(e) => return Err(e),
    };
    let mut received = received.map_err(|why| CreateFault::Fields(Faults::from([fault(why)])))?;
    let fits = fit(&received.dump, request.image).and_then(|()| received.dump.source(request.dbname.as_str()));
    received.source = fits.map_err(|why| CreateFault::Fields(Faults::from([fault(why)])))?;
    Ok((request, received))
}
