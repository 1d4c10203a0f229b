// Makes the calls of a deployment, as the function of CDK's AwsCustomResource does, and
// repeats one that is denied: IAM takes a while until a new permission holds.
const https = require('node:https');

exports.handler = async (event, context) => {
  const call = JSON.parse(event.ResourceProperties[event.RequestType] ?? 'null');
  const response = {
    Status: 'SUCCESS', Reason: 'OK', StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId,
    PhysicalResourceId: call?.physicalResourceId?.id ?? event.PhysicalResourceId ?? event.LogicalResourceId,
  };
  try {
    if (call) await make(call, context);
  } catch (e) {
    console.error(e);
    Object.assign(response, {
      Status: 'FAILED', Reason: `${e.name}: ${e.message}`, PhysicalResourceId: event.PhysicalResourceId ?? context.logStreamName,
    });
  }
  await put(event.ResponseURL, JSON.stringify(response));
};

const make = async ({ service, action, parameters, region, ignoreErrorCodesMatching }, context) => {
  const client = new (require(`@aws-sdk/client-${service.toLowerCase()}`)[service])({ region });
  for (;;) {
    try {
      return await client[action](parameters);
    } catch (e) {
      if (ignoreErrorCodesMatching && new RegExp(ignoreErrorCodesMatching).test(e.name)) return;
      if (!e.name.startsWith('AccessDenied') || context.getRemainingTimeInMillis() < 20_000) throw e;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
};

const put = (url, body) => new Promise((resolve, reject) => {
  const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) }; // as the URL is signed
  const request = https.request(url, { method: 'PUT', headers }, (r) => r.resume().on('end', resolve));
  request.on('error', reject).end(body);
});
