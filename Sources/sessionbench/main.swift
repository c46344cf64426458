// One round of the session layer's work, for scripts/bench-session.sh: `pawl-sessionbench SECONDS FOLDER`, a second or so for each kind
// of work, and an empty folder on the disk that is to be measured. Prints lines of a name and a number.
//
// For scripts/bench-peers.sh: `pawl-sessionbench peers COUNT HOME` adds peers to the state of a node that does not run.
internal import Glibc

if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "peers", let count = Int(CommandLine.arguments[2]) {
  do { try await ManyPeers.write(count, home: CommandLine.arguments[3]) } catch {
    print("pawl-sessionbench: \(error)")
    exit(1)
  }
  exit(0)
}
guard CommandLine.arguments.count == 3, let seconds = Double(CommandLine.arguments[1]), seconds > 0 else {
  print("usage: pawl-sessionbench SECONDS FOLDER")
  exit(2)
}
let folder = CommandLine.arguments[2]

do {
  let memory = [
    ("one-way", try MemoryRates.oneWay(seconds)), ("pairs", try MemoryRates.pairs(seconds)),
    ("starts", try MemoryRates.starts(seconds)), ("first-starts", try MemoryRates.firstStarts(seconds)),
  ]
  for (name, rate) in memory { print(name, rate) }
  for share in try Shares(rates: memory, seconds: seconds / 10).lines { print("share", share) }
  print("syncs", try DurableRates.syncs(seconds, in: folder))
  var durable = try await DurableRates(beneath: folder)
  print("durable", try await durable.oneWay(seconds, together: 1))
  print("durable-together", try await durable.oneWay(seconds, together: DurableRates.burst))
  await durable.close()
} catch {
  print("pawl-sessionbench: \(error)")
  exit(1)
}
