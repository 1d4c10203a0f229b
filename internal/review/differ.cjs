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

function compare(base, head) {
  const diff = fullDiff(base, head);
  const resources = {};
  diff.resources.forEachDifference((id, change) => {
    resources[id] = {
      impact: change.changeImpact,
      properties: Object.entries(change.propertyUpdates).filter(([, p]) => p.isDifferent).map(([name, p]) => [name, p.changeImpact]),
      other: Object.entries(change.otherChanges).filter(([, o]) => o.isDifferent).map(([name]) => name),
    };
  });
  return { resources, statements: both(diff.iamChanges.statements), managed: both(diff.iamChanges.managedPolicies),
    ingress: both(diff.securityGroupChanges.ingress), egress: both(diff.securityGroupChanges.egress) };
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const pairs = JSON.parse(line);
  const stacks = {}, types = {};
  for (const [name, [base, head]] of Object.entries(pairs)) {
    stacks[name] = compare(base, head);
    for (const template of [base, head])
      for (const resource of Object.values(template.Resources ?? {})) types[resource.Type] ??= stateful(resource.Type);
  }
  process.stdout.write(JSON.stringify({ stacks, stateful: types }) + "\n");
});
