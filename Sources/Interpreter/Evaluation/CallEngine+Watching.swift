import Chat
import Scheduling

extension CallEngine.Observer {
  /// Shows a reply in a column of a board.
  init(board: any Board, column: Int) {
    self.init()
    watch = { feed, attempt in
      if attempt > 1 { await board.restart(column) }
      while let text = await feed.next() { await board.put(column, text) }
    }
  }
}

extension Tails {
  func observer(_ slot: Int, _ inner: CallEngine.Observer?) -> CallEngine.Observer {
    var observer = inner ?? CallEngine.Observer()
    observer.watch = { feed, _ in while let text = await feed.next() { self.append(text, to: slot) } }
    return observer
  }
}
