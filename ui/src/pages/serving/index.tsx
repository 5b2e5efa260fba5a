export { default } from "@/pages/serving/Serving";
