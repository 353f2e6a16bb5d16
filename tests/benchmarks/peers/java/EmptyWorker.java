import io.camunda.client.CamundaClient;
import io.camunda.client.api.worker.JobWorker;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Camunda's Java client with streaming on, over gRPC.
 *
 * <p>Arguments: the gateway's address, the number of jobs in flight.
 */
public final class EmptyWorker {

  private static final String RESULT = "{\"done\":{}}";
  private static final Duration LEASE = Duration.ofSeconds(30);

  private EmptyWorker() {}

  public static void main(final String[] arguments) throws IOException {
    final var address = URI.create("http://" + arguments[0]);
    final int inFlight = Integer.parseInt(arguments[1]);
    final var builder =
        CamundaClient.newClientBuilder()
            .grpcAddress(address)
            // The client's own choice is REST; the other peers speak gRPC.
            .preferRestOverGrpc(false)
            .numJobWorkerExecutionThreads(2);
    try (final var client = builder.build();
        final var input = new BufferedReader(new InputStreamReader(System.in))) {
      obey(client, inFlight, input);
    }
  }

  /** Does what the benchmark says until it closes the pipe: "open TYPE..." or "close". */
  private static void obey(
      final CamundaClient client, final int inFlight, final BufferedReader input)
      throws IOException {
    final List<JobWorker> workers = new ArrayList<>();
    String line;
    while ((line = input.readLine()) != null) {
      final List<String> words = List.of(line.split(" "));
      if (words.get(0).equals("open")) {
        for (final String taskType : words.subList(1, words.size())) {
          workers.add(open(client, taskType, inFlight));
        }
      } else {
        workers.forEach(JobWorker::close);
        workers.clear();
      }
      System.out.println(words.get(0));
    }
  }

  private static JobWorker open(
      final CamundaClient client, final String taskType, final int inFlight) {
    return client
        .newWorker()
        .jobType(taskType)
        .handler((jobs, job) -> jobs.newCompleteCommand(job).variables(RESULT).send())
        .maxJobsActive(inFlight)
        .timeout(LEASE)
        .fetchVariables("order", "amount", "customer")
        .streamEnabled(true)
        .open();
  }
}
