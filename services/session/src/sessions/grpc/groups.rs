//! `sessions.groups.*`: parse, ask, answer.

use gatehouse_proto::session::v1 as proto;

use super::super::{GroupChange, GroupsOf};
use super::request::one_line;
use crate::error::Error;
use crate::turns::Engine;
use crate::viewer::Viewer;

fn shown(names: Vec<String>) -> Vec<proto::SessionGroup> {
    let groups = (0..).zip(names);
    groups
        .map(|(position, name)| proto::SessionGroup { name, position })
        .collect()
}

pub(crate) async fn groups(engine: &Engine) -> Result<proto::ListGroupsResponse, Error> {
    let GroupsOf { names, sections } = engine.stores().groups.groups().await?;
    Ok(proto::ListGroupsResponse {
        groups: shown(names),
        section_order: sections,
    })
}

pub(crate) async fn put_groups(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::PutGroupsRequest,
) -> Result<proto::PutGroupsResponse, Error> {
    let proto::PutGroupsRequest { names, section_order } = request;
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(Error::Field {
            path: "/names",
            problem: "holds an empty name",
        });
    }
    for name in &names {
        one_line("/names", Some(name))?;
    }
    let put = GroupsOf {
        names,
        sections: section_order,
    };
    let Changed {
        groups,
        section_order,
        updated_sessions,
    } = change(engine, viewer, GroupChange::Put(put)).await?;
    Ok(proto::PutGroupsResponse {
        ok: true,
        groups,
        section_order,
        updated_sessions,
    })
}

pub(crate) async fn rename_group(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::RenameGroupRequest,
) -> Result<proto::RenameGroupResponse, Error> {
    let proto::RenameGroupRequest { name, to } = request;
    one_line("/to", Some(&to))?;
    let Changed {
        groups,
        section_order,
        updated_sessions,
    } = change(engine, viewer, GroupChange::Rename { name, to }).await?;
    Ok(proto::RenameGroupResponse {
        ok: true,
        groups,
        section_order,
        updated_sessions,
    })
}

pub(crate) async fn delete_group(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::DeleteGroupRequest,
) -> Result<proto::DeleteGroupResponse, Error> {
    let proto::DeleteGroupRequest { name } = request;
    let Changed {
        groups,
        section_order,
        updated_sessions,
    } = change(engine, viewer, GroupChange::Delete(name)).await?;
    Ok(proto::DeleteGroupResponse {
        ok: true,
        groups,
        section_order,
        updated_sessions,
    })
}

/// The groups after a change, as each of the three answers says it.
struct Changed {
    groups: Vec<proto::SessionGroup>,
    section_order: Vec<String>,
    updated_sessions: Option<i64>,
}

async fn change(engine: &Engine, viewer: &Viewer, change: GroupChange) -> Result<Changed, Error> {
    let groups = &engine.stores().groups;
    let (GroupsOf { names, sections }, moved) = groups.change_groups(change, viewer.clone()).await?;
    for key in &moved {
        let sessions = &engine.stores().sessions;
        let told = engine.change(key.clone(), "groups", async {
            Ok(((), sessions.find(key).await?))
        });
        told.await?;
    }
    Ok(Changed {
        groups: shown(names),
        section_order: sections,
        updated_sessions: i64::try_from(moved.len()).ok().filter(|count| *count > 0),
    })
}
