import { Component, type ReactNode } from "react";

/** A defect of this page is a sentence on it, and leaves the rest of Airflow's page alone. */
export class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const error: Error | null = this.state.error;
    if (error === null) return this.props.children;
    return (
      <div className="rj-wall" data-renderjuice="wall">
        <div className="rj-nothing" role="alert">
          <p>This page has failed. The renders go on.</p>
          <p className="rj-soft">It said: {(error as Error).message}</p>
          <button type="button" className="rj-button" onClick={() => this.setState({ error: null })}>
            Try again
          </button>
        </div>
      </div>
    );
  }
}
