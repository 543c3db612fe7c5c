package issuer

// The issuers of platforms, by the names that the public Fulcio knows them by.
const (
	GitHubURL    = "https://token.actions.githubusercontent.com"
	GitLabURL    = "https://gitlab.com"
	BuildkiteURL = "https://agent.buildkite.com"
	GoogleURL    = "https://accounts.google.com"
)

// GitHub is the claims of a job of GitHub Actions: the workflow release.yml of a repository such as "org/model", run for a ref
// such as "refs/heads/main". Fulcio certifies it as https://github.com/org/model/.github/workflows/release.yml@refs/heads/main.
func GitHub(repository, ref string) map[string]any {
	workflow := repository + "/.github/workflows/release.yml@" + ref
	return map[string]any{
		"sub": "repo:" + repository + ":ref:" + ref, "repository": repository, "ref": ref, "sha": commit,
		"workflow": "release", "workflow_ref": workflow, "workflow_sha": commit, "job_workflow_ref": workflow, "job_workflow_sha": commit,
		"event_name": "push", "runner_environment": "github-hosted", "repository_id": "1", "repository_owner": "org",
		"repository_owner_id": "2", "repository_visibility": "public", "run_id": "3", "run_attempt": "1",
	}
}

// GitLab is the claims of a job of GitLab CI, for a branch of a project such as "org/model".
func GitLab(project, branch string) map[string]any {
	return map[string]any{
		"sub": "project_path:" + project + ":ref_type:branch:ref:" + branch, "project_path": project, "project_id": "1",
		"ref": branch, "ref_type": "branch", "sha": commit, "namespace_path": "org", "namespace_id": "2", "job_id": "3",
		"pipeline_id": "4", "pipeline_source": "push", "ci_config_ref_uri": "gitlab.com/" + project + "//.gitlab-ci.yml@refs/heads/" + branch,
		"ci_config_sha": commit, "runner_environment": "gitlab-hosted", "runner_id": 5, "project_visibility": "public",
	}
}

// Buildkite is the claims of a job of Buildkite, of an organization's pipeline.
func Buildkite(organization, pipeline string) map[string]any {
	return map[string]any{
		"sub":               "organization:" + organization + ":pipeline:" + pipeline + ":ref:refs/heads/main:commit:" + commit + ":step:sign",
		"organization_slug": organization, "pipeline_slug": pipeline, "build_number": 1, "build_branch": "main", "build_commit": commit,
		"step_key": "sign", "job_id": "job", "agent_id": "agent", "build_source": "webhook", "runner_environment": "self-hosted",
	}
}

// Google is the claims of a service account of Google Cloud.
func Google(account string) map[string]any {
	return map[string]any{"sub": "100000000000000000001", "azp": "100000000000000000001", "email": account, "email_verified": true}
}

// commit is the commit that all jobs run for.
const commit = "1111111111111111111111111111111111111111"
