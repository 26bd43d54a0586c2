// What a program does with Rebilly's published SDK, unmodified: `rebilly.cjs URL KEY`, run where it is installed. It
// prints a line when jobs are to be run, and waits for one in return.
const assert = require('node:assert/strict');
const readline = require('node:readline');
const {RebillyAPI, RebillyExperimentalAPI, RebillyErrors} = require('rebilly-js-sdk');

const [url, apiKey] = process.argv.slice(2);
const options = {apiKey, organizationId: 'acme', urls: {live: url, sandbox: url}, timeout: 60000};
const api = RebillyExperimentalAPI(options);
const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const wish = {name: 'by the SDK', resource: 'customers', format: 'csv', fields: ['id', 'lifetimeRevenue/amount']};

const runJobs = async () => {
  console.log('run');
  await answers.next();
};
const link = (member, rel) => member.fields._links.find((each) => each.rel === rel).href;

async function queueAndList() {
  const made = await api.dataExports.queue({data: wish});
  assert.equal(made.response.status, 201);
  assert.equal(made.fields.status, 'queued');
  const named = await api.dataExports.queue({id: 'sdk-1', data: {...wish, name: 'named'}});
  assert.equal(named.fields.id, 'sdk-1');
  await assert.rejects(api.dataExports.queue({id: 'sdk-1', data: wish}), RebillyErrors.RebillyConflictError);

  const asked = {limit: 1, offset: 1, sort: ['name', '-createdTime'], filter: 'resource:customers', q: '', expand: 'user'};
  const page = await api.dataExports.getAll(asked);
  assert.deepEqual([page.total, page.limit, page.offset], [2, 1, 1]);
  assert.deepEqual(page.items.map((each) => each.fields.name), ['named']);
  assert.equal(page.items[0].fields._embedded.user.id, page.items[0].fields.userId);
  assert.equal((await api.dataExports.getAll({q: 'by the'})).total, 1);
  return made;
}

async function change() {
  const recurring = {instruction: 'RRULE:FREQ=DAILY', start: '2099-01-01T00:00:00Z'};
  await assert.rejects(
    api.dataExports.update({id: 'sdk-1', data: {...wish, recurring}}),
    (error) => error instanceof RebillyErrors.RebillyValidationError && error.invalidFields[0].field === 'recurring.instruction'
  );
  const known = await api.dataExports.get({id: 'sdk-1'});
  const changed = await api.dataExports.update({id: 'sdk-1', data: {...known.fields, format: 'json'}});
  assert.deepEqual([changed.response.status, changed.fields.format, changed.fields.name], [200, 'json', 'named']);
}

async function fetchFiles(made) {
  const done = await api.dataExports.get({id: made.fields.id, expand: 'file'});
  assert.equal(done.fields.status, 'completed');
  const files = RebillyAPI(options).files;
  const file = await files.download({id: done.fields.fileId});
  const text = Buffer.from(file.data).toString('utf8');
  assert.equal(text.split('\n').length, done.fields.recordCount + 2);
  assert.match(text, /^id,lifetimeRevenue.amount\n/);
  assert.equal(Buffer.from(file.data).length, done.fields._embedded.file.size);
  assert.equal(await (await fetch(link(done, 'signedLink'))).text(), text);
  const named = await files.download({id: (await api.dataExports.get({id: 'sdk-1'})).fields.fileId});
  assert.equal(JSON.parse(Buffer.from(named.data)).length, done.fields.recordCount);
}

async function end(made) {
  await assert.rejects(api.dataExports.update({id: 'sdk-1', data: wish}), RebillyErrors.RebillyConflictError);
  for (const id of ['sdk-1', made.fields.id]) {
    assert.deepEqual((await api.dataExports.delete({id})).fields, {});
    await assert.rejects(api.dataExports.get({id}), RebillyErrors.RebillyNotFoundError);
  }
  const stranger = RebillyExperimentalAPI({...options, apiKey: 'nobody'});
  await assert.rejects(stranger.dataExports.getAll(), RebillyErrors.RebillyForbiddenError);
  stranger.setSessionToken(apiKey);
  await stranger.dataExports.getAll();
  const alone = RebillyExperimentalAPI({...options, organizationId: undefined});
  await alone.dataExports.getAll();
}

(async () => {
  const made = await queueAndList();
  await change();
  await runJobs();
  await fetchFiles(made);
  await end(made);
  console.log('done');
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
