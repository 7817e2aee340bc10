//! All routes with their access levels. The router is built from this table, and a test requests each route anonymously
//! and as another user, owner and administrator.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use futures::FutureExt;
use futures::future::BoxFuture;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::csrf::CsrfLayer;

use super::error::AppError;
use super::pages::{
    account, actions, admin, backups, container, docs, extend, home, job, login, logs, metrics as metrics_page, new,
    notices, replace, restore, settings, templates, theme,
};
use super::{api, assets, connections, download, layers, live};
use crate::web::access::{Access, BODY_LIMIT};
use crate::web::pages::account::access_tokens;
use crate::web::pages::copies::{clone, origin, snapshots};
use crate::web::pages::orphan_backups;
use crate::web::portal::Shared;
use crate::web::scrape::{healthz, metrics, readyz};

/// A route.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path, with the parameters `{name}` and `{id}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    handler: fn() -> MethodRouter<Shared>,
}

macro_rules! routes {
    ($($method:ident $path:literal $access:ident $handler:path;)+) => {
        /// The table.
        pub static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: Access::$access,
            handler: || by_method(MethodFilter::$method, $handler),
        }),+];
    };
}

fn by_method<H, T>(filter: MethodFilter, handler: H) -> MethodRouter<Shared>
where
    H: Handler<T, Shared> + Sync,
    T: 'static,
{
    on(filter, AnyHandler(Arc::new(move |request, portal| handler.clone().call(request, portal).boxed())))
}

/// A handler of any signature behind a single type. With a type for each of them, compiling axum's layers around all the
/// handlers takes a third of the time that this crate needs.
#[derive(Clone)]
struct AnyHandler(Arc<dyn Fn(Request, Shared) -> BoxFuture<'static, Response> + Send + Sync>);

impl Handler<(), Shared> for AnyHandler {
    type Future = BoxFuture<'static, Response>;

    fn call(self, request: Request, portal: Shared) -> Self::Future {
        (self.0)(request, portal)
    }
}

routes! {
    GET  "/healthz"                              Public   healthz;
    GET  "/readyz"                               Public   readyz;
    GET  "/metrics"                              Public   metrics;
    GET  "/static/{*file}"                       Public   assets::file;
    GET  "/branding.css"                         Public   assets::branding;
    GET  "/branding/logo"                        Public   assets::logo;
    GET  "/branding/favicon"                     Public   assets::favicon;
    GET  "/ca.pem"                               Public   assets::authority;
    GET  "/login"                                Public   login::form;
    POST "/login"                                Public   login::submit;
    POST "/logout"                               Public   login::sign_out;
    POST "/theme"                                Public   theme::choose;
    GET  "/docs"                                 Public   docs::index;
    GET  "/docs/{page}"                          Public   docs::show;

    GET  "/"                                     SignedIn home::show;
    GET  "/containers/new"                       SignedIn new::form;
    GET  "/containers/new/from-dump"             SignedIn new::dump_form;
    POST "/containers/new/from-dump"             SignedIn new::submit_dump;
    POST "/containers"                           SignedIn new::submit;
    GET  "/templates"                            SignedIn templates::list::list;
    POST "/templates"                            SignedIn templates::list::create;
    POST "/templates/update"                     Admin    templates::list::update;
    GET  "/templates/from-dump"                  Admin    templates::list::upload_form;
    POST "/templates/from-dump"                  Admin    templates::list::upload;
    GET  "/templates/{name}"                     SignedIn templates::show::show;
    POST "/templates/{name}"                     SignedIn templates::show::edit;
    POST "/templates/{name}/clone"               SignedIn templates::show::clone;
    POST "/templates/{name}/refresh"             SignedIn templates::show::refresh;
    POST "/templates/{name}/notices/{id}/seen"   Admin    notices::seen_template;
    GET  "/templates/{name}/delete"              SignedIn templates::show::confirm_delete;
    POST "/templates/{name}/delete"              SignedIn templates::show::delete;
    GET  "/backups"                              SignedIn orphan_backups::list;
    GET  "/account"                              SignedIn account::show;
    POST "/account/password"                     SignedIn account::change_password;
    POST "/account/tokens"                       SignedIn access_tokens::create_token;
    POST "/account/tokens/{id}/revoke"           SignedIn access_tokens::revoke_token;
    POST "/account/sessions/end-others"          SignedIn account::end_other_sessions;

    GET  "/events"                               SignedIn live::account;
    GET  "/events/templates"                     SignedIn live::templates;
    GET  "/admin/events"                         Admin    live::portal;
    GET  "/containers/{name}/events"             Owner    live::database;

    GET  "/containers/{name}"                    Owner    container::show;
    POST "/containers/{name}/password"           Owner    container::reveal_password;
    GET  "/containers/{name}/metrics"            Owner    metrics_page::show;
    GET  "/containers/{name}/logs"               Owner    logs::show;
    GET  "/containers/{name}/logs/events"        Owner    logs::events;
    GET  "/containers/{name}/settings"           Owner    settings::form;
    POST "/containers/{name}/settings"           Owner    settings::submit;
    POST "/containers/{name}/maintenance"        Admin    settings::maintenance;
    POST "/containers/{name}/start"              Owner    actions::start;
    POST "/containers/{name}/stop"               Owner    actions::stop;
    POST "/containers/{name}/restart"            Owner    actions::restart;
    GET  "/containers/{name}/extend"             Owner    extend::form;
    POST "/containers/{name}/extend"             Owner    extend::submit;
    GET  "/containers/{name}/rotate-password"    Owner    actions::confirm_rotate;
    POST "/containers/{name}/rotate-password"    Owner    actions::rotate_password;
    GET  "/containers/{name}/delete"             Owner    actions::confirm_delete;
    POST "/containers/{name}/delete"             Owner    actions::delete;
    POST "/containers/{name}/undelete"           Owner    actions::undelete;
    GET  "/containers/{name}/purge"              Owner    actions::confirm_purge;
    POST "/containers/{name}/purge"              Owner    actions::purge;
    GET  "/containers/{name}/backups"            Owner    backups::show;
    POST "/containers/{name}/backup"             Owner    backups::now;
    POST "/containers/{name}/backups/{id}/drill" Owner    backups::drill;
    POST "/containers/{name}/notices/{id}/seen"  Owner    notices::seen;
    GET  "/containers/{name}/backups/{id}/restore" Owner  restore::restore_form;
    POST "/containers/{name}/backups/{id}/restore" Owner  restore::restore;
    GET  "/containers/{name}/backups/{id}/download" Owner download::of_container;
    GET  "/containers/{name}/backups/{id}/in-place" Owner replace::in_place_form;
    GET  "/containers/{name}/snapshots"          Owner    snapshots::show;
    POST "/containers/{name}/snapshot"           Owner    snapshots::take;
    GET  "/containers/{name}/snapshots/{id}/restore" Owner replace::go_back_form;
    POST "/containers/{name}/snapshots/{id}/restore" Owner replace::go_back_now;
    GET  "/containers/{name}/snapshots/{id}/delete" Owner snapshots::confirm_delete;
    POST "/containers/{name}/snapshots/{id}/delete" Owner snapshots::delete;
    GET  "/containers/{name}/clone"              Owner    clone::clone_form;
    POST "/containers/{name}/clone"              Owner    clone::clone;
    GET  "/containers/{name}/reset"              Owner    origin::confirm_reset;
    POST "/containers/{name}/reset"              Owner    origin::reset;
    GET  "/containers/{name}/refresh"            Owner    origin::confirm_refresh;
    POST "/containers/{name}/refresh"            Owner    origin::refresh;
    GET  "/containers/{name}/promote"            Owner    origin::confirm_promote;
    POST "/containers/{name}/promote"            Owner    origin::promote;
    GET  "/containers/{name}/upgrade"            Owner    replace::upgrade_form;
    POST "/containers/{name}/upgrade"            Owner    replace::upgrade;
    GET  "/backups/{id}/download"                Owner    download::by_id;
    GET  "/backups/{id}/restore"                 Owner    orphan_backups::restore_form;
    POST "/backups/{id}/restore"                 Owner    orphan_backups::restore;
    GET  "/backups/{id}/delete"                  Owner    orphan_backups::confirm_delete;
    POST "/backups/{id}/delete"                  Owner    orphan_backups::delete;
    GET  "/jobs/{id}"                            Owner    job::show;
    POST "/jobs/{id}/cancel"                     Owner    job::cancel;
    GET  "/jobs/{id}/events"                     Owner    job::events;

    GET  "/admin"                                Admin    admin::overview;
    GET  "/admin/containers"                     Admin    home::admin_list;
    GET  "/admin/states"                         Admin    admin::states::states;
    POST "/admin/states/check"                   Admin    admin::states::check_now;
    GET  "/admin/contents"                       Admin    admin::contents::contents;
    GET  "/admin/backups"                        Admin    admin::backups::list;
    POST "/admin/backups/audit"                  Admin    admin::backups::audit;
    POST "/admin/backups/all"                    Admin    admin::backups::all;
    POST "/admin/backups/admin-db"               Admin    admin::admin_backups::now;
    GET  "/admin/backups/prune"                  Admin    admin::prune::show;
    POST "/admin/backups/prune"                  Admin    admin::prune::remove;
    GET  "/admin/backups/find"                   Admin    admin::import::show;
    POST "/admin/backups/import"                 Admin    admin::import::import;
    GET  "/admin/backups/{id}"                   Admin    admin::backup::show;
    POST "/admin/backups/{id}/drill"             Admin    admin::backup::drill;
    POST "/admin/backups/{id}/lock"              Admin    admin::backup::lock;
    POST "/admin/backups/{id}/restore"           Admin    admin::backup::restore;
    POST "/admin/notices/{id}/seen"              Admin    notices::seen_portal;
    GET  "/admin/log"                            Admin    admin::lists::log;
    GET  "/admin/jobs"                           Admin    admin::lists::jobs;
    GET  "/admin/storage"                        Admin    admin::storage::storage;
    GET  "/admin/system"                         Admin    admin::system::system;
    POST "/admin/read-only"                      Admin    admin::system::read_only;
    GET  "/admin/users"                          Admin    admin::people::list;
    POST "/admin/users"                          Admin    admin::people::add;
    GET  "/admin/users/{id}"                     Admin    admin::user::show;
    POST "/admin/users/{id}"                     Admin    admin::people_changes::set_details;
    GET  "/admin/users/{id}/delete"              Admin    admin::user_deletion::confirm;
    POST "/admin/users/{id}/delete"              Admin    admin::user_deletion::delete;
    POST "/admin/users/{id}/disable"             Admin    admin::people_changes::disable;
    POST "/admin/users/{id}/enable"              Admin    admin::people_changes::enable;
    POST "/admin/users/{id}/role"                Admin    admin::people_changes::set_role;
    POST "/admin/users/{id}/password"            Admin    admin::people_changes::set_password;
    POST "/admin/users/{id}/limits"              Admin    admin::people_changes::set_limits;

    GET    "/api/openapi.json"                   Public   api::openapi::show;
    GET    "/api/v1/catalog"                     SignedIn api::catalog::show;
    GET    "/api/v1/containers"                  SignedIn api::containers::list;
    POST   "/api/v1/containers"                  SignedIn api::containers::create;
    POST   "/api/v1/containers/from-dump"        SignedIn api::containers::from_dump;
    GET    "/api/v1/containers/{name}"           Owner    api::containers::show;
    PATCH  "/api/v1/containers/{name}"           Owner    api::containers::edit;
    DELETE "/api/v1/containers/{name}"           Owner    api::containers::delete;
    POST   "/api/v1/containers/{name}/start"     Owner    api::containers::start;
    POST   "/api/v1/containers/{name}/stop"      Owner    api::containers::stop;
    POST   "/api/v1/containers/{name}/restart"   Owner    api::containers::restart;
    POST   "/api/v1/containers/{name}/undelete"  Owner    api::containers::undelete;
    POST   "/api/v1/containers/{name}/extend"    Owner    api::containers::extend;
    POST   "/api/v1/containers/{name}/backup"    Owner    api::backups::now;
    POST   "/api/v1/containers/{name}/upgrade"   Owner    api::replace::upgrade;
    GET    "/api/v1/containers/{name}/snapshots" Owner    api::copies::list;
    POST   "/api/v1/containers/{name}/snapshots" Owner    api::copies::take;
    POST   "/api/v1/containers/{name}/snapshots/{id}/restore" Owner api::copies::restore;
    DELETE "/api/v1/containers/{name}/snapshots/{id}" Owner api::copies::delete;
    POST   "/api/v1/containers/{name}/clone"     Owner    api::copies::clone;
    POST   "/api/v1/containers/{name}/reset"     Owner    api::copies::reset;
    POST   "/api/v1/containers/{name}/refresh"   Owner    api::copies::refresh;
    POST   "/api/v1/containers/{name}/promote"   Owner    api::copies::promote;
    GET    "/api/v1/containers/{name}/notices"   Owner    api::notices::list;
    POST   "/api/v1/containers/{name}/notices/{id}/seen" Owner api::notices::seen;
    GET    "/api/v1/backups"                     SignedIn api::backups::list;
    GET    "/api/v1/backups/{id}/download"       Owner    download::by_id;
    POST   "/api/v1/backups/{id}/restore"        Owner    api::backups::restore;
    GET    "/api/v1/templates"                   SignedIn api::templates::list;
    POST   "/api/v1/templates"                   SignedIn api::templates::create;
    POST   "/api/v1/templates/from-dump"         Admin    api::templates::upload;
    POST   "/api/v1/templates/update"            Admin    api::templates::update;
    GET    "/api/v1/templates/{name}"            SignedIn api::templates::show;
    PATCH  "/api/v1/templates/{name}"            SignedIn api::templates::edit;
    DELETE "/api/v1/templates/{name}"            SignedIn api::templates::delete;
    POST   "/api/v1/templates/{name}/refresh"    SignedIn api::templates::refresh;
    POST   "/api/v1/templates/{name}/clone"      SignedIn api::templates::clone;
    GET    "/api/v1/jobs/{id}"                   Owner    api::jobs::show;
    POST   "/api/v1/jobs/{id}/cancel"            Owner    api::jobs::cancel;
}

/// The portal as one service.
pub fn router(portal: &Shared) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = (route.handler)().layer(from_fn_with_state((portal.clone(), route.access), layers::guard));
        // Dumps are read in chunks and have their own size limit.
        let is_dump = route.path.ends_with("/from-dump");
        let handler = if is_dump {
            handler.layer(DefaultBodyLimit::disable()).layer(from_fn(layers::read_ahead))
        } else {
            handler
        };
        router = router.route(route.path, handler);
    }
    router
        .layer(from_fn(layers::matched))
        .fallback(async || AppError::NotFound)
        .layer(CatchPanicLayer::new())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(portal.clone(), connections::paced))
        .layer(csrf(portal))
        .layer(CompressionLayer::new().compress_when(worth_compressing()))
        .layer(from_fn_with_state(portal.clone(), layers::outer))
        .layer(from_fn(connections::watch))
        .with_state(portal.clone())
}

/// Everything except backups, which are either compressed already or too large to compress on the fly.
fn worth_compressing() -> impl Predicate {
    DefaultPredicate::new()
        .and(NotForContentType::const_new(download::TAR))
        .and(NotForContentType::const_new(download::BINARY))
}

/// Rejects state changes sent by pages of other sites. The configured public URL is trusted, because a proxy may
/// rewrite `Host`.
fn csrf(portal: &Shared) -> CsrfLayer {
    let layer = CsrfLayer::new();
    match &portal.app.config.server.public_url {
        Some(url) => layer.clone().add_trusted_origin(url).unwrap_or(layer),
        None => layer,
    }
}
