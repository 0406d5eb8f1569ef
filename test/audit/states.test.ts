import { expect, test } from 'vitest';

import { regionName } from '../fixtures/region.js';
import { audited, auditedAtRest } from '../fixtures/audited.js';
import { Peer } from '../fixtures/processes.js';
import { connect, startServer, startServerProcess } from '../fixtures/service.js';

test('a server that is idle, with entries of all sizes', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  for (let i = 0; i < 2000; i++) await client.set(`key ${i}`, 'x'.repeat((i * 37) % 9000));
  for (let i = 0; i < 2000; i += 3) await client.del(`key ${i}`);
  const report = await audited(server.name);
  void report;
  await client.close();
  const rest = await auditedAtRest(server.name);
  expect(rest.map.entries).toBe(1333);
});

test('busy', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 3 }, name);
  const victims = await Promise.all(
    [0, 1, 2].map((kind) => Peer.start('service/victim', JSON.stringify({ name, kind }))),
  );
  for (let i = 0; i < 5; i++) {
    const report = await audited(name);
    console.log(
      report.looks,
      report.unsettled.join(' '),
      JSON.stringify(report.findings),
      JSON.stringify(report.slots),
    );
  }
  await server.kill();
  for (const v of victims) await v.kill();
  const report = await audited(name);
  console.log(JSON.stringify(report.findings), JSON.stringify(report));
});
