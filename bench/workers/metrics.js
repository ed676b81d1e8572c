// An Analytics Engine dataset that only counts. A deployed `writeDataPoint` copies the point and returns at once, with nothing to
// wait for; workerd's own `analyticsEngine` binding makes an HTTP request of each point, which would be charged to the gateway.
export default function metrics() {
  return {
    points: 0,
    writeDataPoint(point) {
      const { indexes, blobs, doubles } = point;
      if (!Array.isArray(indexes) || blobs?.length > 20 || doubles?.length > 20) throw new TypeError("not a data point");
      this.points += 1;
    },
  };
}
