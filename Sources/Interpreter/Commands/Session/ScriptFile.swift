import Language

extension Invocation {
  func runFile(definitionsOnly: Bool) async throws {
    let path = try await path(0)
    let span = command.arguments[0].span
    // Relative to the file that names it, wherever a link to that one stands.
    let importer = world.files.resolved(context.source.name)
    let directory = importer.lastIndex(of: "/").map { String(importer[...$0]) } ?? ""
    let place = path.hasPrefix("/") || path == "-" ? path : directory + path
    var bytes: [UInt8] = []
    do {
      let file = try world.files.open(place)
      while true {
        try await file.ready()
        let piece = try file.read()
        if piece.isEmpty { break }
        bytes += piece
        if bytes.count > 16 << 20 { throw FileProblem("a script of more than 16 MiB") }
      }
    } catch let problem as FileProblem { throw self.error("\(place): \(problem.message)", at: span) }
    guard let text = Source.text(of: bytes) else { throw error("\(place): this is not UTF-8 text", at: span) }
    guard session.beginImport(world.files.identity(place) ?? place, by: world.files.identity(context.source.name)) else {
      throw error("\(place) is already being read: a cycle", at: span)
    }
    defer { session.endImport() }
    let source = Source(name: place, text: text)
    let result = Parser.parse(source, vocabulary: session.vocabulary)
    if let first = result.diagnostics.first { throw first }
    var inner = context
    inner.source = source
    if definitionsOnly {
      inner.showsValues = false
      for statement in result.program.block.statements {
        switch statement.node {
        case .prompt, .function, .binding, .on: break
        case .pipeline(let pipeline):
          if case .command(let command)? = pipeline.stages.first, command.name.text == "import" || command.name.text == "set" { break }
          fallthrough
        default:
          throw Diagnostic("an imported file defines; this would run", at: statement.span, help: "`source` runs a file").located(in: source)
        }
      }
    }
    _ = try await inner.run(result.program.block)
  }
}
