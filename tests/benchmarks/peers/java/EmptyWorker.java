import io.camunda.zeebe.client.ZeebeClient;
import io.camunda.zeebe.client.api.worker.JobWorker;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The Java client's worker. Arguments: the gateway's address, the number of jobs in flight. */
public final class EmptyWorker {

  public static void main(final String[] arguments) throws Exception {
    final int inFlight = Integer.parseInt(arguments[1]);
    try (final ZeebeClient client =
        ZeebeClient.newClientBuilder()
            .grpcAddress(URI.create("http://" + arguments[0]))
            .usePlaintext()
            .numJobWorkerExecutionThreads(2)
            .build()) {
      final List<JobWorker> workers = new ArrayList<>();
      final var input = new BufferedReader(new InputStreamReader(System.in));
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        final List<String> words = Arrays.asList(line.split(" "));
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
  }

  private static JobWorker open(
      final ZeebeClient client, final String taskType, final int inFlight) {
    return client
        .newWorker()
        .jobType(taskType)
        .handler((jobs, job) -> jobs.newCompleteCommand(job).variables("{\"done\":{}}").send())
        .maxJobsActive(inFlight)
        .timeout(Duration.ofSeconds(30))
        .fetchVariables("order", "amount", "customer")
        .streamEnabled(true)
        .open();
  }
}
