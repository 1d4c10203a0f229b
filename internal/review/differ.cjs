// Answers each line of JSON on standard input, {stack: [base, head]} of templates,
// with a line of what @aws-cdk/cloudformation-diff and AWS's schemas say of them.
const { createRequire } = require("module");
const library = require.resolve("@aws-cdk/cloudformation-diff", { paths: [process.cwd()] });
const { fullDiff } = require(library);
const spec = createRequire(library)("@aws-cdk/aws-service-spec").loadAwsServiceSpecSync();

const json = (c) => (c._toJson ? c._toJson() : c.toJson ? c.toJson() : c);
const both = (c) => ({ added: c.additions.map(json), removed: c.removals.map(json) });

// Whether the type holds data, as the schemas say.
function stateful(type) {
  const found = spec.lookup("resource", "cloudFormationType", "equals", type);
  return found.length > 0 && Boolean(found[0].isStateful);
}

// What opens a resource to everybody, as the schemas say: its properties, wherever in it
// they are, with the values that do, and whether they do where they are not there. A switch
// does that has such a name, and one of listed values that is called so.
const everybody = /public|anonymous|unauthenticated/i, guard = /^(Block|Ignore|Restrict)/;
const open = /^(public([-_]?(only|and_private|read|read-?write))?|publicinternetonly|internet-facing|anonymous|unauthenticated)$/i;
const access = /Auth(orization|orizer)?Type$/;

function openings(type) {
  const found = {}, seen = new Set();
  const walk = (entity) => {
    if (!entity || seen.has(entity.$id)) return;
    seen.add(entity.$id);
    for (const [name, property] of Object.entries(entity.properties)) {
      const values = property.type.type === "boolean"
        ? (everybody.test(name) && !guard.test(name) ? [true, "true"] : [])
        : (property.type.allowedValues ?? []).filter((v) => open.test(v) || (v === "NONE" && access.test(name)));
      if (values.length > 0) found[name] = { values, byDefault: entity.cloudFormationType === type && values.map(String).includes(String(property.defaultValue).replaceAll('"', "")) };
      references(property.type);
    }
  };
  const references = (t) => {
    if (t.type === "ref") walk(spec.get("typeDefinition", t.reference.$ref));
    else if (t.type === "union") t.types.forEach(references);
    else if (t.element) references(t.element);
  };
  walk(spec.lookup("resource", "cloudFormationType", "equals", type)[0]);
  return found;
}

// A template without the policies of its VPC endpoints, which grant nothing to anybody:
// they say which calls of those who may make them pass.
function withoutEndpoints(template) {
  const copy = structuredClone(template);
  for (const resource of Object.values(copy.Resources ?? {}))
    if (resource.Type === "AWS::EC2::VPCEndpoint") delete resource.Properties?.PolicyDocument;
  return copy;
}

function compare(base, head) {
  const diff = fullDiff(base, head);
  const { iamChanges } = fullDiff(withoutEndpoints(base), withoutEndpoints(head));
  const resources = {};
  diff.resources.forEachDifference((id, change) => {
    resources[id] = {
      properties: Object.entries(change.propertyUpdates).filter(([, p]) => p.isDifferent).map(([name, p]) => [name, p.changeImpact]),
      other: Object.entries(change.otherChanges).filter(([, o]) => o.isDifferent).map(([name]) => name),
    };
  });
  return { resources, statements: both(iamChanges.statements), managed: both(iamChanges.managedPolicies),
    ingress: both(diff.securityGroupChanges.ingress), egress: both(diff.securityGroupChanges.egress) };
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const pairs = JSON.parse(line);
  const stacks = {}, types = {}, opens = {};
  for (const [name, [base, head]] of Object.entries(pairs)) {
    stacks[name] = compare(base, head);
    for (const template of [base, head])
      for (const resource of Object.values(template.Resources ?? {})) {
        types[resource.Type] ??= stateful(resource.Type);
        opens[resource.Type] ??= openings(resource.Type);
      }
  }
  process.stdout.write(JSON.stringify({ stacks, stateful: types, opens }) + "\n");
});
