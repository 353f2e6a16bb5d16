// @camunda8/sdk's gRPC worker. Arguments: the gateway's address, the number of jobs in flight.
import { createInterface } from "node:readline";
import { Camunda8 } from "@camunda8/sdk";

const [address, inFlight] = process.argv.slice(2);
const camunda = new Camunda8({
  CAMUNDA_OAUTH_STRATEGY: "NONE",
  ZEEBE_GRPC_ADDRESS: `grpc://${address}`,
  zeebeGrpcSettings: { ZEEBE_CLIENT_LOG_LEVEL: "NONE" },
});
const client = camunda.getZeebeGrpcApiClient();
let workers = [];

for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...taskTypes] = line.split(" ");
  if (word === "open") {
    workers = taskTypes.map((taskType) =>
      client.createWorker({
        taskType,
        taskHandler: (job) => job.complete({ done: {} }),
        maxJobsToActivate: Number(inFlight),
        timeout: 30_000,
        fetchVariable: ["order", "amount", "customer"],
      }),
    );
  } else {
    await Promise.all(workers.map((worker) => worker.close()));
  }
  console.log(word);
}
await client.close();
