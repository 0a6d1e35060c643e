//! The calls: parse, ask, answer.

use std::sync::Arc;

use gatehouse_contract::{BackendId, PluginId};
use gatehouse_core::{Caller, Failure, Kind};
use gatehouse_proto::plugin::v1::{
    InspectPluginRequest, InspectPluginResponse, ListPluginsRequest, ListPluginsResponse, PluginDiagnostic,
    PluginEvent, PluginMethod, PublishPluginEventRequest, PublishPluginEventResponse, ReportPluginsRequest,
    ReportPluginsResponse, plugin_service_server::PluginService,
};
use tonic::{Request, Response, Status};

use super::{Plugins, is_wrong};
use crate::hub::Hub;

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) hub: Arc<Hub>,
}

#[tonic::async_trait]
impl PluginService for Grpc {
    async fn list_plugins(
        &self,
        _: Request<ListPluginsRequest>,
    ) -> Result<Response<ListPluginsResponse>, Status> {
        let all = self.plugins.all().into_values();
        let plugins: Vec<_> = all.filter_map(|reported| reported.plugin).collect();
        let wrong = plugins.iter().filter(|plugin| is_wrong(plugin.state()));
        let diagnostics = wrong.map(|plugin| PluginDiagnostic {
            level: "error".to_owned(),
            plugin_id: plugin.id.clone(),
            message: plugin.detail.clone().unwrap_or_default(),
        });
        Ok(Response::new(ListPluginsResponse {
            diagnostics: diagnostics.collect(),
            plugins,
            mutation_allowed: false,
        }))
    }

    async fn inspect_plugin(
        &self,
        request: Request<InspectPluginRequest>,
    ) -> Result<Response<InspectPluginResponse>, Status> {
        let InspectPluginRequest { plugin_id } = request.into_inner();
        let plugin = self
            .plugins
            .all()
            .remove(&plugin_id)
            .and_then(|reported| reported.plugin);
        let (Some(plugin), Some(id)) = (plugin, PluginId::parse(&plugin_id)) else {
            let words = format!("no plugin {plugin_id:?} is set up: plugins.list names those that are");
            return Err(Failure::new(Kind::NotFound, words)
                .reason("NO_SUCH_PLUGIN")
                .into());
        };
        let map = self.plugins.map();
        let own = |backend: Option<&BackendId>| matches!(backend, Some(BackendId::Plugin(of)) if *of == id);
        let methods = map
            .methods()
            .filter(|method| own(method.backend.as_ref()))
            .map(|method| PluginMethod {
                name: method.name.clone(),
                path: method.path.clone(),
                access: method.access.to_string(),
                streaming: method.streaming,
                overrides: map.original(&method.name).is_some(),
            })
            .collect();
        let events = map.events_of(&id).map(|event| PluginEvent {
            name: event.name.clone(),
            access: event.access.to_string(),
        });
        Ok(Response::new(InspectPluginResponse {
            plugin: Some(plugin),
            methods,
            events: events.collect(),
        }))
    }

    async fn publish_plugin_event(
        &self,
        request: Request<PublishPluginEventRequest>,
    ) -> Result<Response<PublishPluginEventResponse>, Status> {
        let caller = Caller::from_request(&request);
        let PublishPluginEventRequest { event, payload } = request.into_inner();
        let event = self.plugins.event(caller.as_ref(), &event, &payload)?;
        self.hub.publish_of_plugin(event).await?;
        Ok(Response::new(PublishPluginEventResponse {}))
    }

    async fn report_plugins(
        &self,
        request: Request<ReportPluginsRequest>,
    ) -> Result<Response<ReportPluginsResponse>, Status> {
        let ReportPluginsRequest { edge_id, plugins } = request.into_inner();
        self.plugins.report(edge_id, plugins).await?;
        Ok(Response::new(ReportPluginsResponse {}))
    }
}
