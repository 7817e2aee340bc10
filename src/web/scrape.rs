//! Endpoints for monitoring: metrics, liveness and readiness.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::Label;

use crate::admin_db::backups::admin_backups;
use crate::admin_db::backups::audits;
use crate::admin_db::containers::oom_kills;
use crate::admin_db::jobs::listing;
use crate::admin_db::spares::Spare;
use crate::admin_db::{containers, jobs, notices, ping, seeds, spares};
use crate::domain::audit::FindingKind;
use crate::web::metrics::Metrics;
use crate::web::portal::Shared;

/// `GET /metrics`: current values in the Prometheus text format; `db4sci_admin_db_up` is 0 while mydb_admin is
/// unavailable.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub async fn metrics(State(portal): State<Shared>) -> Response {
    let m = &portal.metrics;
    let counted = async {
        let mut db = portal.app.db.acquire().await?;
        let audit = audits::counts(&mut db).await?;
        let own = admin_backups::newest(&mut db, 1).await?.into_iter().next();
        let told = notices::counts(&mut db).await?;
        let (seeds, spares) = (seeds::all(&mut db).await?, spares::all(&mut db).await?);
        let kills = oom_kills::totals(&mut db).await?;
        let (states, queue) = (containers::counts(&mut db).await?, listing::counts(&mut db).await?);
        Ok::<_, sqlx::Error>((states, queue, audit, own, told, seeds, spares, kills))
    };
    let counted = counted.await;
    m.gauge("db4sci_admin_db_up", Vec::new(), f64::from(u8::from(counted.is_ok())));
    if let Ok((states, queue, audit, own, told, seeds, spares, kills)) = counted {
        count_spares(m, &spares);
        for seed in seeds {
            let labels = vec![Label::new("image", seed.image), Label::new("tier", seed.tier)];
            // 0: it is being made, or failed.
            let made = seed.made_at.map_or(0, |at| at.timestamp());
            m.gauge("db4sci_seed_timestamp_seconds", labels, made as f64);
        }
        if let Some(own) = own {
            m.gauge("db4sci_admin_db_backup_timestamp_seconds", Vec::new(), own.made_at.timestamp() as f64);
            m.gauge("db4sci_admin_db_backup_has_keys", Vec::new(), f64::from(u8::from(own.keys)));
        }
        for (engine, kills) in kills {
            m.total("db4sci_oom_kills_total", vec![Label::new("engine", engine.as_str())], kills);
        }
        for kind in notices::NoticeKind::ALL.into_iter().filter(|kind| kind.is_problem() && kind.is_about_backups()) {
            let n = told.iter().find(|(k, _)| k == kind.as_str()).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_backup_troubles", vec![Label::new("kind", kind.as_str())], n as f64);
        }
        if let Some((at, counts)) = audit {
            m.gauge("db4sci_backup_audit_timestamp_seconds", Vec::new(), at.timestamp() as f64);
            for kind in FindingKind::ALL {
                let n = counts.get(&kind).copied().unwrap_or(0);
                m.gauge("db4sci_backup_audit_findings", vec![Label::new("kind", kind.as_str())], n as f64);
            }
        }
        for state in crate::domain::state::ContainerState::ALL {
            let n = states.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_containers", vec![Label::new("state", state.as_str())], n as f64);
        }
        for status in [jobs::JobStatus::Queued, jobs::JobStatus::Running] {
            let n = queue.iter().find(|(s, _)| *s == status).map_or(0, |(_, n)| *n);
            m.gauge("db4sci_jobs", vec![Label::new("status", status.as_str())], n as f64);
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], m.handle.render()).into_response()
}

/// `GET /healthz`: the process is alive.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: mydb_admin and the container engine respond too; otherwise 503 with the name of the one that does
/// not.
pub async fn readyz(State(portal): State<Shared>) -> Response {
    let database = async {
        let mut db = portal.app.db.acquire().await?;
        ping(&mut db).await
    };
    let engine = tokio::time::timeout(Duration::from_secs(3), portal.app.runtime.ping());
    let (database, engine) = tokio::join!(database, engine);
    let mut faults = Vec::new();
    if let Err(e) = database {
        faults.push(format!("mydb_admin is not responding: {e}"));
    }
    match engine {
        Ok(Ok(())) => {}
        Ok(Err(e)) => faults.push(e.to_string()),
        Err(_) => faults.push("the container engine did not respond within 3 s".to_owned()),
    }
    if faults.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", faults.join("\n"))).into_response()
    }
}

/// Servers started in advance, by image: ready, or being made.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count_spares(m: &Metrics, spares: &[Spare]) {
    let mut images: Vec<&str> = spares.iter().map(|s| s.image.as_str()).collect();
    images.dedup();
    for image in images {
        for (state, ready) in [("ready", true), ("making", false)] {
            let n = spares.iter().filter(|s| s.image == image && s.made_at.is_some() == ready).count();
            m.gauge("db4sci_spares", vec![Label::new("image", image.to_owned()), Label::new("state", state)], n as f64);
        }
        let held: i64 = spares.iter().filter(|s| s.image == image).filter_map(|s| s.memory_used).sum();
        m.gauge("db4sci_spares_memory_bytes", vec![Label::new("image", image.to_owned())], held as f64);
        let memory: i64 = spares.iter().filter(|s| s.image == image).map(|s| s.memory_bytes).sum();
        m.gauge("db4sci_spares_memory_limit_bytes", vec![Label::new("image", image.to_owned())], memory as f64);
    }
}
