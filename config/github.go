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
}
