package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// GitHub is the repository whose workflows may look at a deployment and deploy it.
type GitHub struct {
	// Repository is the repository as its tokens' subjects name it: "octo-org/shop",
	// or with GitHub's ids, "octo-org@123456/shop@456789", as those of repositories do
	// that were made, renamed or moved since July 2026. Required.
	Repository string `json:"repository" jsonschema:"required,pattern=^[A-Za-z0-9_-]+(/[A-Za-z0-9._-]+|@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$,maxLength=180" want:"a repository as tokens' subjects name it, \"octo-org/shop\" or \"octo-org@123456/shop@456789\", without wildcards"`
	// Branch is the one branch whose workflows may look and deploy. Required.
	Branch string `json:"branch" jsonschema:"required,pattern=^[A-Za-z0-9][A-Za-z0-9._/-]*$,maxLength=240" want:"a branch of letters, digits and . _ / -, such as \"main\", without wildcards"`
	// Environments are GitHub's environments whose jobs may deploy: those that
	// deploy.yml names are ["production-shared", "production"]. Those of "review" may look.
	// Required.
	Environments []string `json:"environments" jsonschema:"required,minItems=1,maxItems=8,pattern=^[A-Za-z0-9][A-Za-z0-9._-]*$,maxLength=240" want:"environments of letters, digits and . _ -, such as [\"production-shared\", \"production\"], without wildcards" wantMost:"at most 8 environments of 240 characters"`
	// ProviderExists says that the account has an identity provider for
	// token.actions.githubusercontent.com already, of which it can have only one; the
	// audience sts.amazonaws.com has to be among its own. Default: false, it is made.
	ProviderExists bool `json:"providerExists" default:"false"`
}

const (
	// trustPolicy is the policy of the role that deploys, without what the configuration
	// names.
	trustPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Principal":{"Federated":"arn:aws-us-gov:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},` +
		`"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com",` +
		`"token.actions.githubusercontent.com:ref":"refs/heads/","token.actions.githubusercontent.com:sub":[]}}}]}`
	// maxTrustPolicy is how many characters it may have without a raised quota. Source: IAM
	// User Guide, "IAM and AWS STS quotas", role trust policy length.
	maxTrustPolicy = 2048
)

func (GitHub) want() string {
	return `an object such as {"repository": "octo-org/shop", "branch": "main", "environments": ["production-shared", "production"]}`
}

// Set reports whether there is one.
func (g GitHub) Set() bool { return !reflect.ValueOf(g).IsZero() }

// validate refuses what no token has, or what would trust another than is meant.
func (g GitHub) validate(p problems) {
	if name, ok := strings.CutPrefix(g.Branch, "refs/heads/"); ok {
		p.add("branch", fmt.Sprintf("the branch's name alone, %q", name), g.Branch)
	}
	for i, environment := range g.Environments {
		if slices.Index(g.Environments, environment) < i {
			p.add(fmt.Sprintf("environments[%d]", i), "each environment once", environment)
		}
	}
	characters := len(trustPolicy) + len(g.Branch)
	for _, environment := range g.Environments {
		characters += len(`"repo::environment:",`) + len(g.Repository) + len(environment)
	}
	if characters > maxTrustPolicy {
		p.under("environments").say(fmt.Sprintf("want shorter names, or fewer of them: with the repository's and the branch's they make a trust policy of %d characters, and IAM takes %d",
			characters, maxTrustPolicy))
	}
}
