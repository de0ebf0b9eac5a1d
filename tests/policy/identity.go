package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Types of policies that an identity has.
var (
	managedPolicy = []string{"aws:iam/policy:Policy"}
	inlinePolicy  = []string{
		"aws:iam/rolePolicy:RolePolicy", "aws:iam/groupPolicy:GroupPolicy", "aws:iam/userPolicy:UserPolicy", "aws:iam/role:Role",
	}
	identityPolicy = slices.Concat(managedPolicy, inlinePolicy)
)

func identityRules() []Rule {
	return []Rule{
		{
			ID: "IAM.1", Source: "FSBP IAM.1; CIS AWS 3.0.0 1.16", Title: "No policy allows everything on everything.",
			Why: "It would make its holder the account's owner.", Check: overStatements(noAdministrator, identityPolicy...),
		},
		{
			ID: "IAM.21", Source: "FSBP IAM.21", Title: "No policy of IAM allows all that a service can do.",
			Why: "Services grow: what is allowed tomorrow nobody has read.", Check: overStatements(noWholeService, identityPolicy...),
		},
		{
			ID: "KMS.1", Source: "FSBP KMS.1", Title: "No managed policy allows decryption with every key.",
			Why: "The key decides who reads what it encrypts.", Check: overStatements(noDecryptionEverywhere, managedPolicy...),
		},
		{
			ID: "KMS.2", Source: "FSBP KMS.2", Title: "No inline policy allows decryption with every key.",
			Why: "The key decides who reads what it encrypts.", Check: overStatements(noDecryptionEverywhere, inlinePolicy...),
		},
		{
			ID: "KMS.5", Source: "FSBP KMS.5", Title: "No policy of a key lets anybody use it.",
			Why:   "An account that is not ours could read our disks.",
			Check: overStatements(nobodyUnknown, typeKey, "aws:kms/keyPolicy:KeyPolicy", "aws:kms/replicaKey:ReplicaKey"),
		},
		{
			ID: "IAM.2", Source: "FSBP IAM.2; CIS AWS 3.0.0 1.15", Title: "The program makes no users, access keys or policies of users.",
			Why: "Machines have roles; people come by the organisation's own way.", Check: over(noUsers),
		},
		{
			ID: "ICON.22", Source: "icon", Title: "No policy allows wildcard actions on wildcard resources, and none allows all but something.",
			Why: "Such a policy says what was easy to write, not what is needed.", Check: overStatements(exact),
		},
		{
			ID: "ICON.23", Source: "icon", Title: "No policy allows anybody, but under a condition that says who.",
			Why: "\"*\" is everyone with an AWS account, or without one.", Check: overStatements(nobodyUnknown),
		},
		{
			ID: "ICON.24", Source: "icon", Title: "No role has one of AWS's policies for everything.",
			Why:   "AdministratorAccess, PowerUserAccess, ReadOnlyAccess and the FullAccess ones allow what no part of a node needs.",
			Check: over(noFullAccess),
		},
		{
			ID: "ICON.25", Source: "icon", Title: "Every policy can be read.",
			Why: "AWS refuses it otherwise, or reads it in another way than its author; and no other rule could judge it.", Check: over(readable),
		},
	}
}

// isPolicy says that an input holds a policy as text: by its name, or by what it says.
func isPolicy(one leaf) bool {
	named := slices.Contains([]string{"policy", "assumeRolePolicy", "policyDocument"}, one.key())
	says := strings.Contains(strings.ToLower(one.text()), `"statement"`)
	return strings.HasPrefix(strings.TrimSpace(one.text()), "{") && (named || says)
}

// overStatements makes a rule's check of a look at each statement of the policies of these types; of all if none is given. A policy that
// is made of another resource's ARN is not known in a preview, and not judged there.
func overStatements(judge func(r *graph.Resource, s statement) string, types ...string) func(*graph.Graph) []Finding {
	return over(func(l *look) {
		for _, r := range l.g.Resources {
			if !isAWS(r) || len(types) > 0 && !slices.Contains(types, r.Type) {
				continue
			}
			for _, one := range leaves(r) {
				if !isPolicy(one) {
					continue
				}
				d, err := parseDocument(one.text())
				if err != nil {
					continue // ICON.25 says so
				}
				for i, s := range d.statements {
					if problem := judge(r, s); problem != "" {
						l.at(r, "%s, %s: %s", one.where(), s.name(i), problem)
					}
				}
			}
		}
	})
}

func readable(l *look) {
	for _, r := range l.g.Resources {
		if !isAWS(r) {
			continue
		}
		for _, one := range leaves(r) {
			if isPolicy(one) {
				if _, err := parseDocument(one.text()); err != nil {
					l.at(r, "%s %v", one.where(), err)
				}
			}
		}
	}
}

func noAdministrator(_ *graph.Resource, s statement) string {
	everything := slices.ContainsFunc(s.actions, func(a string) bool { return strings.Trim(a, "*?:") == "" })
	if s.allows() && everything && slices.ContainsFunc(s.resources, allWildcard) {
		return "it allows every action on every resource"
	}
	return ""
}

func noWholeService(_ *graph.Resource, s statement) string {
	if i := slices.IndexFunc(s.actions, wholeService); s.allows() && i >= 0 {
		return "it allows " + s.actions[i] + "; the actions that are needed are wanted by name"
	}
	return ""
}

func noDecryptionEverywhere(_ *graph.Resource, s statement) string {
	everyKey := slices.ContainsFunc(s.resources, wildcardResource)
	if s.allows() && everyKey && s.does("kms:Decrypt", "kms:ReEncryptFrom") {
		return "it allows decryption with every key; the keys are wanted by ARN"
	}
	return ""
}

func nobodyUnknown(_ *graph.Resource, s statement) string {
	if s.allows() && s.anybody() && !s.narrowed() {
		return "it allows anybody; principals by name are wanted, or a condition such as StringEquals aws:SourceAccount"
	}
	return ""
}

// exact judges policies of all kinds. In a policy of a key, a role or a bucket the resource "*" is that one alone: there only actions
// count that are all of a service. In one of an identity no action on "*", or on all of a type, may have a wildcard.
func exact(r *graph.Resource, s statement) string {
	if !s.allows() {
		return ""
	}
	if len(s.notActions)+len(s.notResources)+len(s.notPrincipals) > 0 {
		return "it allows all but something (NotAction, NotResource or NotPrincipal); what is allowed is wanted by name"
	}
	if !slices.ContainsFunc(s.resources, wildcardResource) {
		return ""
	}
	ofIdentity := slices.Contains(identityPolicy, r.Type)
	for _, a := range s.actions {
		if wholeService(a) || ofIdentity && strings.ContainsAny(a, "*?") {
			return "it allows " + a + " on every resource; actions, or resources, are wanted by name"
		}
	}
	return ""
}

func noUsers(l *look) {
	for _, r := range l.g.Resources {
		if strings.HasPrefix(r.Type, "aws:iam/user") || r.Type == "aws:iam/accessKey:AccessKey" {
			l.at(r, "it makes a user of IAM, or gives one something: use a role")
		}
	}
}

// tooWide are AWS's own policies, by name, that allow more than one purpose needs.
var tooWide = regexp.MustCompile(`FullAccess|^AdministratorAccess|^PowerUserAccess$|^ReadOnlyAccess$|Administrator$`)

func noFullAccess(l *look) {
	for _, r := range l.g.Resources {
		if !strings.HasPrefix(r.Type, "aws:iam/") {
			continue
		}
		for _, one := range leaves(r) {
			_, name, managed := strings.Cut(one.text(), ":iam::aws:policy/")
			name = name[strings.LastIndex(name, "/")+1:]
			if managed && tooWide.MatchString(name) {
				l.at(r, "it gives %s: a policy with the actions that are needed is wanted", name)
			}
		}
	}
}
