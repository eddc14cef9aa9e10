import Language

extension CommandDefinition {
  static let with = CommandDefinition(
    name: "with", group: .concurrency, summary: "runs a block with settings of its own",
    usage: ["with --model provider/name --temperature 0 { … }"], arguments: 1...1,
    takesRequestFlags: true, examples: ["with --model sim/fast --temperature 0 { ask \"Name one river.\" }"]
  ) { call in
    var context = call.context
    context.overrides += try await call.overrides()
    return .value(try call.passingOn(try await context.runStructured(try call.block(), showsLast: false)))
  }
}
