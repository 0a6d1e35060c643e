use super::*;
use crate::testing::Bench;

fn list(path: Option<&str>) -> ListWorkspaceRequest {
    ListWorkspaceRequest {
        agent_id: "main".into(),
        path: path.map(str::to_owned),
        ..ListWorkspaceRequest::default()
    }
}

async fn get(grpc: &Grpc, path: &str) -> Result<GetWorkspaceFileResponse, Failure> {
    let request = GetWorkspaceFileRequest {
        agent_id: "main".into(),
        path: path.into(),
    };
    let answer = grpc.get_workspace_file(Request::new(request)).await;
    answer
        .map(Response::into_inner)
        .map_err(|status| Failure::from_status(&status))
}

#[tokio::test]
async fn the_folder_of_an_agent_holds_the_files_that_were_written_and_shows_nothing_else() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let workspaces = Workspaces::new(bench.workspaces());
    let main = AgentId::main();
    workspaces.write(&main, Name::User, "Ann", None).unwrap();
    workspaces.write(&main, Name::Agents, "be brief", None).unwrap();
    std::fs::write(workspaces.folder(&main).join("notes.txt"), "somebody's own").unwrap();
    std::fs::create_dir(workspaces.folder(&main).join("memory")).unwrap();
    let grpc = Grpc::new(running.engine.clone(), workspaces);
    let listed = async |request: ListWorkspaceRequest| {
        let answer = grpc.list_workspace(Request::new(request)).await;
        answer.map(Response::into_inner)
    };
    let names = |answer: &ListWorkspaceResponse| -> Vec<String> {
        answer.entries.iter().map(|entry| entry.name.clone()).collect()
    };

    for own in [None, Some(""), Some("."), Some("./")] {
        let all = listed(list(own)).await.unwrap();
        assert_eq!(names(&all), ["AGENTS.md", "USER.md"], "{own:?}");
        assert_eq!((all.total_entries, all.entries[1].size), (2, 3));
    }
    let page = ListWorkspaceRequest {
        offset: Some(1),
        limit: Some(1),
        ..list(None)
    };
    let page = listed(page).await.unwrap();
    assert_eq!(
        (names(&page), page.total_entries, page.offset),
        (vec!["USER.md".to_owned()], 2, 1)
    );
    let behind = ListWorkspaceRequest {
        offset: Some(i64::MAX),
        ..list(None)
    };
    assert!(listed(behind).await.unwrap().entries.is_empty());
    for elsewhere in ["memory", "..", "/", "/etc", "../main", "a\0b"] {
        assert!(listed(list(Some(elsewhere))).await.is_err(), "{elsewhere:?}");
    }

    let file = get(&grpc, "./USER.md").await.unwrap().file.unwrap();
    assert_eq!((file.content.as_str(), file.encoding.as_str()), ("Ann", "utf8"));
    for other in [
        "SOUL.md",
        "notes.txt",
        "memory",
        "../main/USER.md",
        "/etc/passwd",
        "user.md",
        "USER.md\0",
    ] {
        let refused = get(&grpc, other).await.unwrap_err();
        assert_eq!(refused.kind, Kind::NotFound, "{other:?}");
    }
    let nobody = GetWorkspaceFileRequest {
        agent_id: "nobody".into(),
        path: "USER.md".into(),
    };
    assert!(grpc.get_workspace_file(Request::new(nobody)).await.is_err());
}
